"""Prompts made of prompts: pinned when they are published; circles and long chains are errors that show the path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.errors import InvalidRequest
from llmops.prompts.prompt import SHARED, Selector
from llmops.store.database import Database
from tests.prompts.contents import Desk, chat, text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    yield Desk(database)
    database.close()


def resolved(desk: Desk, name: str, tenant: str = "acme") -> str:
    return desk.kept.version(tenant, name, Selector(label="latest")).resolved.text


def test_what_is_included_is_pinned_at_publishing(desk: Desk) -> None:
    desk.publish("parts/tone", "Be kind to {{who}}.", labels=["production"])
    desk.publish("parts/tone", "Be brief, {{who}}.")
    desk.publish("a", "{{> parts/tone@production }} {{> parts/tone}} {{> parts/tone@1}} {{x}}")
    assert resolved(desk, "a") == "Be kind to {{who}}. Be brief, {{who}}. Be kind to {{who}}. {{x}}"
    version = desk.kept.version("acme", "a", Selector(label="latest"))
    assert version.pins["parts/tone@production"] == "parts/tone@1" and "{{>" in version.content.text
    desk.directory.label("ann", "acme", "parts/tone", "production", Selector(2), author="ann")
    assert resolved(desk, "a").startswith("Be kind"), "a version never changes"
    assert desk.publish("a", version.content) == 2, "published again it is another"
    assert resolved(desk, "a").startswith("Be brief")
    assert desk.publish("a", version.content) == 2, "and the same if nothing has changed"


def test_a_circle_is_an_error_that_shows_the_path(desk: Desk) -> None:
    with pytest.raises(InvalidRequest, match="includes itself: a → a"):
        desk.publish("a", "{{> a}}")
    desk.publish("a", "plain")
    desk.publish("b", "{{> a}}")
    desk.publish("c", "{{> b}}")
    with pytest.raises(InvalidRequest, match="line 2, column 3: the prompt would include itself: a → c → b → a"):
        desk.publish("a", "x\n  {{> c}}")


def test_a_chain_of_more_than_eight_is_an_error_that_shows_it(desk: Desk) -> None:
    desk.publish("p0", "end")
    for number in range(1, 9):
        desk.publish(f"p{number}", f"{{{{> p{number - 1}}}}}")
    with pytest.raises(InvalidRequest, match=r"more than 8 prompts within each other: p9 → p8 → .* → p0"):
        desk.publish("p9", "{{> p8}}")


def test_a_bomb_of_includes_is_refused(desk: Desk) -> None:
    desk.publish("p0", "x" * 60_000)
    desk.publish("p1", "{{> p0}}" * 4)
    with pytest.raises(InvalidRequest, match="more than 256,000 characters"):
        desk.publish("p2", "{{> p1}}" * 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{{> none}}", "there is no prompt 'none' to include"),
        ("{{> part@7}}", "there is no prompt 'part@7'"),
        ("{{> ../x}}", "no prompt's name"),
        ("{{>}}", "no prompt's name"),
        ("{{> talk}}", "no plain text prompt"),
        ("{{> part}}{{> other}}", "declare the variable 'x' differently"),
    ],
)
def test_what_cannot_be_included(words: str, said: str, desk: Desk) -> None:
    desk.publish("part", text("{{x}}", x="string"))
    desk.publish("other", text("{{x}}", x="integer"))
    desk.publish("talk", chat(("user", "Hi")))
    with pytest.raises(InvalidRequest) as raised:
        desk.publish("a", words)
    assert said in raised.value.message and "line 1" in raised.value.message
    if "differently" in said:
        desk.publish("a", text(words, x="string"))


def test_a_tenants_own_part_is_found_before_a_shared_one(desk: Desk) -> None:
    desk.publish("part", "shared", SHARED)
    desk.publish("a", "{{> part}}")
    desk.publish("part", "own")
    desk.publish("b", "{{> part}}")
    assert (resolved(desk, "a"), resolved(desk, "b")) == ("shared", "own")
    desk.publish("secret", "another's", "other")
    with pytest.raises(InvalidRequest, match="no prompt 'secret'"):
        desk.publish("c", "{{> secret}}")
    with pytest.raises(InvalidRequest, match="no prompt 'secret'"):
        desk.publish("c", "{{> secret}}", SHARED)
