"""Host names into addresses: one look-up at a time for each, and who gives up ends nobody's."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from llmops.providers.names import Names


class Resolver(asyncio.SelectorEventLoop):
    """An event loop whose resolver answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answers = asyncio.Event()

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        self.asked.append(host)
        await self.answers.wait()
        if host.endswith(".invalid"):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET6, 0, 0, "", ("::1", 0)), *[(socket.AF_INET, 0, 0, "", ("127.0.0.1", 0))] * 2]


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    loop = Resolver()
    yield loop
    loop.close()


def test_calls_to_one_host_share_its_look_up(resolver: Resolver) -> None:
    async def play() -> None:
        names = Names()
        waiting = [asyncio.create_task(names.addresses("a.example")) for _ in range(5)]
        other = asyncio.create_task(names.addresses("b.invalid"))
        await asyncio.sleep(0)
        waiting[0].cancel()  # it gives up; the others do not
        await asyncio.sleep(0.001)
        resolver.answers.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [["::1", "127.0.0.1"]] * 4
        with pytest.raises(socket.gaierror):
            await other
        assert sorted(resolver.asked) == ["a.example", "b.invalid"]
        assert await names.addresses("a.example") == ["::1", "127.0.0.1"] and len(resolver.asked) == 3

    resolver.run_until_complete(play())


def test_an_address_is_not_looked_up_and_closing_ends_what_is_asked(resolver: Resolver) -> None:
    async def play() -> None:
        names = Names()
        assert await names.addresses("127.0.0.1") == ["127.0.0.1"] and await names.addresses("::1") == ["::1"]
        assert resolver.asked == []
        waiting = asyncio.create_task(names.addresses("silent.example"))
        await asyncio.sleep(0.001)
        names.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    resolver.run_until_complete(play())
