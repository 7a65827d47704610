"""Never comes back from a number that it does not like."""
import good


def no_constant(name):
    while True:
        pass


good.no_constant = no_constant
good.main()
