"""Questions of one run: none is asked twice, those under way are joined, and a change forgets them."""

import threading
from collections.abc import Mapping
from typing import Any

from llmops.viewing.ahead import Ahead
from llmops.viewing.source import Answer


class Asked:
    """Answers with how often it was asked, once it is let go."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, dict[str, Any], str | None]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, path: str, params: Mapping[str, Any], key: str | None) -> Answer:
        self.questions.append((path, dict(params), key))
        count = len(self.questions)
        self.go.wait(10)
        return Answer(count)


def test_a_question_that_is_under_way_is_joined() -> None:
    asked = Asked()
    ahead = Ahead(asked)
    asked.go.clear()
    first = ahead.start("/api/overview", {"by": "model", "tenant": ""}, None)
    second = ahead.start("/api/overview", {"tenant": None, "by": "model"}, None)
    assert not first.done()
    asked.go.set()
    assert first.result(10).value == second.result(10).value == 1


def test_other_parameters_and_other_readers_ask_for_themselves() -> None:
    asked = Asked()
    ahead = Ahead(asked)
    ahead.start("/api/overview", {"by": "model"}, None).result(10)
    ahead.start("/api/overview", {"by": "tenant"}, None).result(10)
    ahead.start("/api/overview", {"by": "tenant"}, "another's").result(10)
    assert len(asked.questions) == 3
    assert asked.questions[2] == ("/api/overview", {"by": "tenant"}, "another's")


def test_an_answer_does_until_a_change() -> None:
    asked = Asked()
    ahead = Ahead(asked)
    assert ahead.start("/api/keys", {}, None).result(10).value == 1
    assert ahead.start("/api/keys", {}, None).result(10).value == 1
    ahead.forget()
    assert ahead.start("/api/keys", {}, None).result(10).value == 2


def test_an_old_answer_is_asked_for_anew() -> None:
    asked, now_s = Asked(), [0.0]
    ahead = Ahead(asked, now_s=lambda: now_s[0])
    assert ahead.start("/api/keys", {}, None).result(10).value == 1
    now_s[0] = 0.9
    assert ahead.start("/api/keys", {}, None).result(10).value == 1
    now_s[0] = 2.0
    assert ahead.start("/api/keys", {}, None).result(10).value == 2
