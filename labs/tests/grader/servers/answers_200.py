"""Answers 200 where the contract says 202."""
import good


class Server(good.Server):
    def accepted(self, count):
        return 200, *super().accepted(count)[1:]


good.main(Server)
