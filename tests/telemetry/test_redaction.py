"""What is taken out of captured texts, and what is left as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.redaction import Redactor

KEY = "sk-" + "a1b2c3d4e5f6-" + "Z" * 48


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to jane.doe+x@mail.example.co.uk now", "write to [email] now"),
        ("müller@exämple.de", "[email]"),
        (f"my key is {KEY}.", "my key is [key]."),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [key]"),
        ("AKIAIOSFODNN7EXAMPLE and ghp_" + "x" * 36, "[key] and [key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[key]"),
        ("postgresql://bob:hunter2@db/x", "postgresql://[key]@db/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "[key]"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111-1111-1111-1111 or 5500005555555559", "[card] or [card]"),
        ("call +49 (30) 1234-5678", "call [phone]"),
        ("(415) 555-2671", "[phone]"),
        ("030/1234567", "[phone]"),
    ],
)
def test_what_nobody_should_keep_is_taken_out(text: str, kept: str) -> None:
    assert Redactor().text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "The year 2026, 12:30 o'clock, 1,234,567.89 EUR and 3.14159265358979",
        "order 4111111111111112",
        "a@b",
        "2026-11-21T10:00:00",
        "skating in Sky-High",
        "192.168.0.1",
        "",
    ],
)
def test_what_is_none_of_it_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_escapes_of_json_hide_nothing() -> None:
    parts = [
        b'{"type":"text","text":"j\\u0061ne\\u0040example.org"}',
        b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}',
    ]
    raw = b"[" + b",".join(parts) + b"]"
    kept = json.loads(Redactor().content(raw % (b"A" * 9000)))
    assert kept[0]["text"] == "[email]" and kept[1]["image_url"]["url"] == "[data: 9022 characters]"
    assert json.loads(Redactor().content(b'{"jane@example.org":[["+49 30 1234567"]]}')) == {"[email]": [["[phone]"]]}


def test_a_key_at_the_cut_leaves_no_half() -> None:
    kept = Redactor(max_chars=100).text("x" * 90 + " " + KEY + " and more")
    assert kept == "x" * 90 + " [key] and"


def test_own_patterns_and_none_of_ours() -> None:
    assert Redactor([r"project \w+"]).text("project zeus of a@b.org") == "[redacted] of [email]"
    assert Redactor([r"zeus"], known=False).text("zeus of a@b.org") == "[redacted] of a@b.org"


@given(st.binary(max_size=300), st.text(max_size=300))
def test_anything_can_be_kept_and_stays_small(raw: bytes, text: str) -> None:
    redactor = Redactor(max_chars=50)
    assert len(redactor.content(raw)) <= 50 and len(redactor.text(text)) <= 50
    redactor.text(text + "\ud800").encode()


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "1 " * 100_000, "a@" * 100_000, "+1" * 100_000, "eyJ" * 60_000, "-" * 200_000]
)
def test_no_text_takes_long(text: str) -> None:
    """The time-out of the test is the bound."""
    Redactor(max_chars=200_000).text(text)
