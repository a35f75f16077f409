"""What verification lets through and what it refuses, with its reasons."""

import pytest

from llmops.caching.semantic.agreement import disagreement
from llmops.caching.semantic.facts import facts_of


def why(one: str, other: str) -> str | None:
    there, back = (disagreement(facts_of(a), facts_of(b)) for a, b in ((one, other), (other, one)))
    assert (there is None) == (back is None), "it does not matter who asked first"
    return there


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my password?", "how can I reset my password"),
        ("How do I reset my password?", "How do I reset my password?"),
        ("Transfer 1,000 to Alice", "Please transfer 1000 to Alice"),
        ("Is 5 km far?", "Is 5 kilometres far?"),
        ("Pay $5 to Bob", "pay 5 dollars to Bob"),
        ("Pay €7 to Bob", "pay EUR 7 to Bob"),
        ("a loan of 2k", "a loan of two thousand"),
        ("1.5 million users", "1,500,000 users"),
        ("Is the shop open at 5pm?", "is the shop open at 17:00"),
        ("events on Jan 5, 2024", "events on 2024-01-05"),
        ("events on 5th of January 2024", "events on January 5 2024"),
        ("a 1\u202f000 km trip", "a 1000 km journey"),
        ("How do I fix this error?", "How can I repair this issue?"),
        ("Why is the sky blue?", "What is the reason the sky is blue?"),
        ("When was Rome founded?", "In what year was Rome founded?"),
        ("I forgot my password, how do I get into my account?", "My password is lost, what can I do?"),
        ("Wie kann ich mein Konto löschen?", "wie kann ich mein Konto löschen"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert why(one, other) is None


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("Transfer 100 to Alice", "Transfer 1000 to Alice", "numbers differ: 100 and 1000"),
        ("Transfer 100 to Alice", "Transfer 100 to Bob", "names differ: alice and bob"),
        ("transfer 100 to alice", "transfer 100 to bob", "the same but for"),
        ("What is the capital of france?", "What is the capital of spain?", "the same but for"),
        ("Convert 5 km to miles", "Convert 5 miles to km", "numbers differ"),
        ("Convert celsius to fahrenheit", "Convert fahrenheit to celsius", "units differ"),
        ("Is 5 km far?", "Is 5 miles far?", "numbers differ: 5 km and 5 mile"),
        ("Pay $5", "Pay €5", "numbers differ: 5 usd and 5 eur"),
        ("What is 3 + 5?", "What is 3 - 5?", "signs differ"),
        ("Is -5 cold?", "Is 5 cold?", "numbers differ: -5 and 5"),
        ("It costs 1.000 here", "It costs 1 here", "numbers differ"),
        ("Was it open on 2024-01-05?", "Was it open on 2024-05-01?", "numbers differ"),
        ("open at 5am", "open at 5pm", "numbers differ"),
        ("How do I upgrade to v2.1?", "How do I upgrade to v2.2?", "quotes or names in code differ"),
        ("What does foo_bar do?", "What does foo_baz do?", "quotes or names in code differ"),
        ("What does `x = 1` do?", "What does `x = 2` do?", "quotes or names in code differ"),
        ('Translate "cat"', 'Translate "dog"', "quotes or names in code differ"),
        ("Summarize https://a.example/1", "Summarize https://a.example/2", "quotes or names in code differ"),
        ("Write to ann@a.example", "Write to bob@a.example", "quotes or names in code differ"),
        ("Is it safe?", "Is it not safe?", "one is negated"),
        ("Can I fly with a passport?", "Can I fly without a passport?", "one is negated"),
        ("Why does it start?", "Why doesn't it start?", "one is negated"),
        ("Is the user able to log in?", "Is the user unable to log in?", "opposites: able and unable"),
        ("How do I increase the limit?", "How do I decrease the limit?", "opposites"),
        ("How do I enable alerts?", "How do I disable alerts?", "opposites"),
        ("What is the first step?", "What is the last step?", "opposites: first and last"),
        ("Should I eat before running?", "Should I eat after running?", "opposites: before and after"),
        ("Are you open on monday?", "Are you open on tuesday?", "they differ in day"),
        ("What is your name?", "What is my name?", "they differ in whose"),
        ("Who founded Rome?", "When was Rome founded?", "they ask for different things: 'who' and 'when'"),
        ("How many users are there?", "Who are the users?", "they ask for different things"),
        ("Flights from Paris to Rome", "Flights from Rome to Paris", "names differ"),
        ("subtract apples from pears", "subtract pears from apples", "the order of the words differs"),
        ("How do I delete a file?", "How do I delete a shared file?", "the same but for"),
        ("Wie ist das möglich?", "Wie ist das nicht möglich?", "one is negated"),
        ("法国的首都是哪里", "德国的首都是哪里", "the same but for"),
        ("Где мой заказ?", "Where is my order?", "scripts differ: cyrillic and latin"),
        ("How is the weather in Bonn?", "Wie ist das Wetter in Bonn?", "languages differ: en and de"),
        ("bake bread", "repair shoes", "no word that matters is in both"),
    ],
)
def test_not_the_same(one: str, other: str, reason: str) -> None:
    found = why(one, other)
    assert found is not None and found.startswith(reason), found


@pytest.mark.parametrize(
    "text", ["", " ", "?", "1" * 5000, "a" * 5000, "-" * 3000, "'" * 3000, "1," * 2000, "\u0000\ud800"]
)
def test_any_text_has_facts(text: str) -> None:
    assert disagreement(facts_of(text), facts_of(text)) is None
