"""Stores six digits of a number."""
import good


class Server(good.Server):
    def store(self, lines):
        super().store([{**line, "value": float(f"{line['value']:.6g}")} for line in lines])


good.main(Server)
