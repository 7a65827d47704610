"""Opens its file anew, and loses what an earlier run has stored."""
import good


class Server(good.Server):
    def open_file(self):
        return open(self.options.data_file, "w+b", buffering=0)


good.main(Server)
