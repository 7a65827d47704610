"""Does not end when it is asked to."""
import signal

import good


class Server(good.Server):
    def open_file(self):
        ignore = signal.signal
        signal.signal = lambda number, _: ignore(number, signal.SIG_IGN)
        return super().open_file()


good.main(Server)
