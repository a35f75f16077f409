"""What callers say of a call in headers: taken whole, or refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.gateway.labels import read_labels
from llmops.types import Call
from tests.spend.till import a_call


def labelled(headers: dict[bytes, bytes], user: str | None = None) -> Call:
    call = a_call(user=user)
    read_labels(headers, call)
    return call


def test_without_headers_nothing_is_said() -> None:
    call = labelled({})
    assert (call.view.user, call.tags, call.priority) == (None, {}, "normal")


def test_the_user() -> None:
    assert labelled({b"x-llmops-user": b" ann@acme.com "}).view.user == "ann@acme.com"
    assert labelled({b"x-llmops-user": "Jürgen".encode()}).view.user == "Jürgen"
    assert labelled({b"x-llmops-user": b"ann"}, user="from the body").view.user == "from the body"


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (b"feature=search", {"feature": "search"}),
        (b"feature=search, env=prod", {"feature": "search", "env": "prod"}),
        (b" a = b c ,d=e=f,, ", {"a": "b c", "d": "e=f"}),
        ("team=Forschung & Entwicklung Süd".encode(), {"team": "Forschung & Entwicklung Süd"}),
        (b"x." + b"n" * 38 + b"=" + b"v" * 100, {"x." + "n" * 38: "v" * 100}),
    ],
)
def test_tags(header: bytes, tags: dict[str, str]) -> None:
    assert labelled({b"x-llmops-tags": header}).tags == tags


def test_last_resorts_may_be_refused() -> None:
    assert labelled({}).may_degrade
    assert not labelled({b"x-llmops-degrade": b" NEVER"}).may_degrade


@pytest.mark.parametrize("priority", ["low", "normal", "high"])
def test_the_priority(priority: str) -> None:
    assert labelled({b"x-llmops-priority": priority.upper().encode() + b" "}).priority == priority


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({b"x-llmops-user": b""}, "x-llmops-user must be 1 to 256 printable characters"),
        ({b"x-llmops-user": b"x" * 257}, "1 to 256 printable"),
        ({b"x-llmops-user": b"a\x00b"}, "printable"),
        ({b"x-llmops-user": b"a\x1fb"}, "printable"),
        ({b"x-llmops-user": b"\xff"}, "x-llmops-user must be UTF-8"),
        ({b"x-llmops-tags": b"search"}, "'search' is not such a pair"),
        ({b"x-llmops-tags": b"=search"}, "a list such as 'feature=search, env=prod'"),
        ({b"x-llmops-tags": b"a="}, "is not such a pair"),
        ({b"x-llmops-tags": b"a b=c"}, "is not such a pair"),
        ({b"x-llmops-tags": b"n" * 41 + b"=v"}, "is not such a pair"),
        ({b"x-llmops-tags": b"a=" + b"v" * 101}, "values of 1 to 100 characters"),
        ({b"x-llmops-tags": b"a=b\x1fc"}, "printable"),
        ({b"x-llmops-tags": b"a=b," * 2000}, "1 to 4096"),
        ({b"x-llmops-tags": b",".join(b"t%d=v" % n for n in range(11))}, "holds 11 tags; at most 10 are kept"),
        ({b"x-llmops-priority": b"urgent"}, "must be low, normal or high, not b'urgent'"),
        ({b"x-llmops-priority": b"\xff"}, "must be low, normal or high"),
        ({b"x-llmops-degrade": b"always"}, "x-llmops-degrade must be never, or not there; it is b'always'"),
        ({b"x-llmops-degrade": b""}, "x-llmops-degrade must be never"),
    ],
)
def test_nonsense_is_refused_and_never_dropped(headers: dict[bytes, bytes], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        labelled(headers)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=20))
def test_anything_is_read_or_refused(user: bytes, tags: bytes, priority: bytes) -> None:
    try:
        call = labelled({b"x-llmops-user": user, b"x-llmops-tags": tags, b"x-llmops-priority": priority})
    except InvalidRequest as error:
        assert len(error.message) < 400
        return
    assert call.view.user and len(call.tags) <= 10
    assert "\x1f" not in call.view.user + "".join(call.tags) + "".join(call.tags.values())
