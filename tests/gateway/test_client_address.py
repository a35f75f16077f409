"""Whose address counts: the caller's, as far as trusted proxies vouch for it, and nothing that the caller wrote."""

import pytest

from llmops.gateway.client_address import ClientAddress

HERE = ["127.0.0.0/8", "::1/128"]
CASES = [
    # trusted, peer, X-Forwarded-For, whose it is
    (HERE, "203.0.113.9", None, "203.0.113.9"),
    (HERE, "203.0.113.9", "127.0.0.1", "203.0.113.9"),  # a stranger's word
    (HERE, "127.0.0.1", "198.51.100.7", "198.51.100.7"),
    (HERE, "::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
    (HERE, "::1", "[2001:db8::1]:4711", "2001:db8::1"),
    (HERE, "127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
    (HERE, "127.0.0.1", "127.0.0.1, 198.51.100.7", "198.51.100.7"),  # the left part is the caller's invention
    (HERE, "127.0.0.1", "6.6.6.6, 198.51.100.7, 127.0.0.2", "198.51.100.7"),
    ([*HERE, "10.0.0.0/8"], "10.1.2.3", "198.51.100.7, 10.9.9.9", "198.51.100.7"),
    ([*HERE, "10.0.0.0/8"], "10.1.2.3", "10.4.4.4, 10.9.9.9", "10.4.4.4"),  # all of the house
    (HERE, "127.0.0.1", "garbage", "127.0.0.1"),
    (HERE, "127.0.0.1", "1.2.3.4, ' OR 1=1", "127.0.0.1"),
    (HERE, "127.0.0.1", "", "127.0.0.1"),
    ([], "127.0.0.1", "198.51.100.7", "127.0.0.1"),
]


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "expected"), CASES)
def test_the_callers_address(trusted: list[str], peer: str, forwarded: str | None, expected: str) -> None:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    assert ClientAddress(trusted).of({"client": (peer, 1)}, headers) == expected


def test_a_unix_socket_has_none() -> None:
    assert ClientAddress(HERE).of({"client": None}, {b"x-forwarded-for": b"1.2.3.4"}) is None
    assert ClientAddress(HERE).of({}, {}) is None
