"""Stores when it ends, so that kill -9 takes everything."""
import atexit

import good


class Server(good.Server):
    def __init__(self, options):
        super().__init__(options)
        self.waiting = []
        atexit.register(lambda: good.Server.store(self, self.waiting))

    def store(self, lines):
        self.waiting += lines


good.main(Server)
