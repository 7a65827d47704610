"""Never comes back from a request that it has to refuse."""
import good


class Refused(Exception):
    def __init__(self, *_):
        while True:
            pass


good.Refused = Refused
good.main()
