"""Lines that another process writes when it likes, heard between two pieces of work; and that it has ended."""

import os
import select

_AT_ONCE = 65_536


class Ear:
    """Over the file descriptor of a pipe, which nobody else may read."""

    def __init__(self, fd: int) -> None:
        self.ended = False
        self._fd = fd
        self._heard = b""

    def hear(self, wait_s: float | None) -> bytes | None:
        """The next line, waiting so long for the first of its bytes, or, with None, for all of it."""
        while b"\n" not in self._heard and not self.ended:
            readable, _, _ = select.select([self._fd], [], [], wait_s)
            if not readable:
                return None
            more = os.read(self._fd, _AT_ONCE)
            self.ended = not more
            self._heard += more
        line, found, rest = self._heard.partition(b"\n")
        if not found:
            return None
        self._heard = rest
        return line
