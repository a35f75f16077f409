"""The meters of a call: found again for the same kind of caller, exchanged with the rules, never large."""

from typing import Any

import pytest

from llmops.spend.rulebook import Rulebook
from tests.spend.till import a_call, rules

PER_USER = {"per": "user", "concurrent_calls": 1}


def meters(book: Rulebook, **fields: Any) -> list[str]:
    return [meter.name for meter in book.meters(a_call(**fields))]


def test_without_rules_nothing_is_looked_up() -> None:
    assert Rulebook().meters(a_call()) == ()


def test_a_kind_of_caller_is_worked_out_once() -> None:
    book = Rulebook(rules(PER_USER, {"concurrent_calls": 5}))
    assert book.meters(a_call(1, user="ann")) is book.meters(a_call(2, user="ann"))
    assert len(meters(book, user="ann")) == 2 and len(meters(book, user=None)) == 1


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        (PER_USER, {"user": "ann"}, {"user": "bob"}),
        (PER_USER, {"user": "ann", "tenant": "a"}, {"user": "ann", "tenant": "b"}),
        ({"per": "ip", "concurrent_calls": 1}, {"client_ip": "1.1.1.1"}, {"client_ip": "2.2.2.2"}),
        ({"per": "key", "concurrent_calls": 1}, {"key_id": "a"}, {"key_id": "b"}),
        ({"per": "model", "concurrent_calls": 1}, {"model": "a"}, {"model": "b"}),
        ({"per": "tag:x", "concurrent_calls": 1}, {"tags": {"x": "1"}}, {"tags": {"x": "2"}}),
        ({"where": {"user": "ann"}, "concurrent_calls": 1}, {"user": "ann"}, {"user": "bob"}),
        ({"where": {"ip": "1.*"}, "concurrent_calls": 1}, {"client_ip": "1.1.1.1"}, {"client_ip": "2.2.2.2"}),
    ],
)
def test_callers_that_a_rule_tells_apart_are_never_mixed_up(
    rule: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    book, fresh = Rulebook(rules(rule)), Rulebook(rules(rule))
    first = meters(book, **one)
    assert meters(book, **other) == meters(fresh, **other) != first
    assert meters(book, **one) == first


def test_the_order_of_tags_does_not_matter() -> None:
    book = Rulebook(rules({"per": "tag:x", "concurrent_calls": 1}))
    assert book.meters(a_call(tags={"x": "1", "y": "2"})) is book.meters(a_call(tags={"y": "2", "x": "1"}))


def test_new_rules_are_in_force_for_the_next_call() -> None:
    book = Rulebook(rules(PER_USER))
    before = meters(book, user="ann")
    book.replace(rules({"per": "user", "concurrent_calls": 7}))
    (meter,) = book.meters(a_call(user="ann"))
    assert [meter.name] == before and meter.limit == 7  # type: ignore[union-attr]
    book.replace([])
    assert book.meters(a_call(user="ann")) == ()


def test_a_users_name_may_be_as_long_as_a_body_and_is_not_kept() -> None:
    book = Rulebook(rules(PER_USER))
    (name,) = meters(book, user="x" * 5_000_000)
    assert len(name) < 400
    assert meters(book, user="x" * 5_000_000) == [name]
