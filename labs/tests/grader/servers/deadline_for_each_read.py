"""Begins its deadline again with every byte."""
import time

import good


class Server(good.Server):
    def fill(self, client, buffer, until, has_begun):
        return super().fill(client, buffer, time.monotonic() + self.options.timeout, has_begun)


good.main(Server)
