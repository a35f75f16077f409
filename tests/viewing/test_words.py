"""Foreign text is text: whatever it holds, nothing of it acts on the page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.viewing import words

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil/x.png)",
    "a\u202egnp.exe",
    "x\x00y",
    "\u2066a\u2069",
    "'\" onload=x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    shown = words.html(text)
    assert not set("<>\"'") & set(shown)
    assert "\u202e" not in shown and "\x00" not in shown and "\u2066" not in shown


def test_marks_of_direction_are_named() -> None:
    assert words.plain("a\u202eb") == "a⟨U+202E⟩b"


def test_a_megabyte_is_cut_before_it_is_sent() -> None:
    shown = words.plain("x" * 1_000_000)
    assert len(shown) < 160 and shown.endswith("(+999,880 characters)")


def test_nothing_of_markdown_is_left() -> None:
    assert words.markdown("**b** [a](http://x) :red[c] $e$") == (r"\*\*b\*\* \[a\]\(http\:\/\/x\) \:red\[c\] \$e\$")


@given(st.text(max_size=300))
def test_any_text_is_escaped(text: str) -> None:
    assert not set("<>\"'") & set(words.html(text))


@pytest.mark.parametrize("value", [None, 7, 0.5, ["a"]])
def test_values_that_are_no_text_are_shown_as_such(value: object) -> None:
    assert words.plain(value) == ("" if value is None else str(value))
