"""Takes what has arrived for the body, whatever Content-Length says."""
import good


class Server(good.Server):
    def read_body(self, client, body, length, until):
        return body or super().read_body(client, body, length, until)


good.main(Server)
