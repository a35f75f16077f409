"""Sessions end when they should, and a token tells nothing."""

from llmops.viewing.loopback import is_loopback
from llmops.viewing.sessions import LIFE_S, Sessions


class Hand:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_holds_for_its_time_and_no_longer() -> None:
    clock = Hand()
    sessions = Sessions(clock)
    token = sessions.open("sk-secret")
    assert "secret" not in token and sessions.key_of(token) == "sk-secret"
    clock.now_s = LIFE_S - 1
    assert sessions.key_of(token) == "sk-secret"
    clock.now_s = LIFE_S
    assert sessions.key_of(token) is None


def test_signing_out_forgets_the_key() -> None:
    sessions = Sessions()
    token, other = sessions.open("a"), sessions.open("b")
    sessions.close(token)
    sessions.close(None)
    assert sessions.key_of(token) is None and sessions.key_of(other) == "b" and sessions.key_of(None) is None


def test_loopback_is_this_machine_and_nothing_else() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.evil.com", "", None]))
