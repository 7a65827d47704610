"""Throws away the lines that it cannot read, without a word."""
import json

import good


class Server(good.Server):
    def open_file(self):
        file = open(self.options.data_file, "a+b", buffering=0)
        file.seek(0)
        lines = [line for line in file.read().splitlines(True) if is_whole(line)]
        file.truncate(0)
        file.write(b"".join(lines))
        return file


def is_whole(line):
    try:
        return bool(json.loads(line))
    except ValueError:
        return False


good.main(Server)
