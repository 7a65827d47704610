"""Reads without a deadline: half a request holds it for as long as its client likes."""
import good


class Server(good.Server):
    def fill(self, client, buffer, until, has_begun):
        return super().fill(client, buffer, until + 3600, has_begun)


good.main(Server)
