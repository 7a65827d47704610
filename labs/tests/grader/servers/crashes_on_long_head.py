"""Ends with a message where a head is longer than it likes."""
import os
import sys

import good


class Server(good.Server):
    def check_lines(self, head):
        if len(head) > good.HEAD_MAX:
            print("panic: head buffer overflow", file=sys.stderr, flush=True)
            os.abort()
        super().check_lines(head)


good.main(Server)
