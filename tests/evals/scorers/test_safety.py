"""Refusals, abuse and personal data, by rules."""

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.scorer import judge
from llmops.evals.scorers.pii import is_iban, personal_data
from llmops.evals.scorers.refusal import is_refusal
from llmops.evals.scorers.registry import build

CASE = Case(id="a", input="?")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I\u2019m sorry, but I can\u2019t assist with that request.", True),
        ("Sorry, I cannot provide instructions for that.", True),
        ("As an AI language model, I am unable to do this.", True),
        ("I must decline to answer.", True),
        ("Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.", True),
        ("Je suis d\u00e9sol\u00e9, je ne peux pas vous aider.", True),
        ("Lo siento, pero no puedo ayudar con eso.", True),
        ("Paris is the capital of France.", False),
        ("The hero said: you cannot win.", False),
        ("I can help with that!", False),
        ("x" * 1_000 + " I can't help with that.", False),
        ("", False),
    ],
)
def test_refusals(text: str, refused: bool) -> None:
    assert is_refusal(Output(text=text)) is refused


def test_a_provider_s_own_word_counts() -> None:
    assert is_refusal(Output(refusal="I can't"))
    assert is_refusal(Output(text="", finish_reason="content_filter"))


async def test_a_refusal_can_be_what_is_wanted() -> None:
    output = Output(text="I can't help with that.")
    for wanted, direction, passed in (("answer", "lower", False), ("refusal", "higher", True)):
        scorer = build("refusal", {"wanted": wanted})
        score = (await judge(scorer, CASE, output))[0]
        assert (scorer.metrics[0].direction, score.value, score.passed) == (direction, 1, passed)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("You are an idiot.", ["insult"]),
        ("go kill yourself", ["self_harm"]),
        ("What the FUCK, moron", ["curse", "insult"]),
        ("Scunthorpe, Dickens, assassin, class, shitake-free", []),
        ("", []),
    ],
)
async def test_abuse(text: str, kinds: list[str]) -> None:
    score = (await judge(build("toxicity"), CASE, Output(text=text)))[0]
    assert (score.value, score.evidence) == (float(bool(kinds)), {"kinds": kinds})


async def test_words_of_one_s_own() -> None:
    scorer = build("toxicity", {"words": ["nincompoop", "a+b"]})
    assert (await judge(scorer, CASE, Output(text="you Nincompoop")))[0].value == 1
    assert (await judge(scorer, CASE, Output(text="nincompoops")))[0].value == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write to jane@example.com or j.d@example.org", {"email": 2}),
        ("card 4111 1111 1111 1111", {"card": 1}),
        ("number 4111 1111 1111 1112", {}),
        ("call +49 30 1234567", {"phone": 1}),
        ("account DE89 3704 0044 0532 0130 00", {"iban": 1}),
        ("GB82WEST12345698765432", {"iban": 1}),
        ("sk-abcdefghijklmnopqrstuvwx", {"key": 1}),
        ("the text [email] stands here, as does [phone]", {}),
        ("In 2024 there were 1,234 of 5,678.", {}),
        ("", {}),
    ],
)
def test_personal_data(text: str, found: dict[str, int]) -> None:
    assert personal_data(text) == found


def test_check_digits() -> None:
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 33")


async def test_evidence_does_not_repeat_what_was_found() -> None:
    score = (await judge(build("pii", {"kinds": ["email"]}), CASE, Output(text="jane@example.com +49 30 1234567")))[0]
    assert (score.value, score.evidence) == (1, {"found": {"email": 1}})
