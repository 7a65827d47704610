"""Splits lines at LF, as many readers do."""
import good


class Server(good.Server):
    def check_lines(self, head):
        super().check_lines(head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def fill(self, client, buffer, until, has_begun):
        data = super().fill(client, buffer, until, has_begun)
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


good.main(Server)
