"""Appends to whatever stands at the end of its file."""
import good


class Server(good.Server):
    def open_file(self):
        return open(self.options.data_file, "a+b", buffering=0)


good.main(Server)
