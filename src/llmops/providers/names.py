"""Host names into addresses, with one look-up of a name at a time.

The system's resolver answers in its own time, and few threads wait for it (four, under uvloop). Without this, the calls
to one host whose name servers are silent hold them all, and no call to a healthy host can be connected any more. So
calls to the same host wait for the same look-up; one that gives up leaves it running. Not covered: caching, which is
the system's, and as many silent names as there are threads.
"""

import asyncio
import socket
from ipaddress import ip_address


class Names:
    """Belongs to one event loop; end it with ``close``."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Where the host is, in the resolver's order; `socket.gaierror` where it is nowhere."""
        if _is_address(host):
            return [host]
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = asyncio.create_task(_look_up(host))
            asked.add_done_callback(lambda done: self._forget(host, done))
        return await asyncio.shield(asked)

    def close(self) -> None:
        for asked in list(self._asked.values()):
            asked.cancel()

    def _forget(self, host: str, done: asyncio.Task[list[str]]) -> None:
        del self._asked[host]
        if not done.cancelled():
            done.exception()  # whoever asked may have gone


async def _look_up(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
