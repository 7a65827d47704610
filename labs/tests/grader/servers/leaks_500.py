"""Answers 500 where a body does not come at once."""
import good


class Server(good.Server):
    def read_body(self, client, body, length, until):
        client.settimeout(0.01)
        try:
            while len(body) < length:
                body += client.recv(65536) or b"\0"
        except TimeoutError:
            raise good.Refused(500, "the body is not there") from None
        return body[:length]


good.main(Server)
