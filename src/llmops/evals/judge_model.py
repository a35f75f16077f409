"""A model of the pipeline as a judge: the same policies, prices and records as every other call.

The way to ask is handed in (`Ask`), as it is for a model that is under test. Within a run each question has a cache key
of its own: a run that goes on after a crash finds opinions that were paid for, and two samples are never one answer.
"""

import hashlib
from functools import cached_property
from typing import Any

import msgspec

from .cell_key import current_key
from .judge import Opinion, Question
from .subjects.completion import read_completion
from .subjects.model import Ask


class NoOpinion(Exception):
    """The judge answered with no text: it refused, or called a tool."""

    code = "judge_silent"


class ModelJudge:
    """``params`` go into each request; by default the temperature is 0, since a judge that is asked twice should say
    the same. ``is_schema_sent``: whether the model takes a JSON Schema as its response format."""

    def __init__(
        self, ask: Ask, model: str, *, params: dict[str, Any] | None = None, is_schema_sent: bool = True
    ) -> None:
        self._ask = ask
        self._model = model
        self._params = {"temperature": 0} if params is None else dict(params)
        self._is_schema_sent = is_schema_sent

    @cached_property
    def version(self) -> str:
        told = msgspec.json.encode([self._params, self._is_schema_sent], order="deterministic")
        return f"{self._model}-{hashlib.sha256(told).hexdigest()[:8]}"

    async def ask(self, question: Question) -> Opinion:
        body: dict[str, Any] = {"model": self._model, "messages": question.messages, **self._params}
        if self._is_schema_sent:
            shape = {"name": question.prompt.name, "strict": True, "schema": question.prompt.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        asked = await self._ask(body, namespace=self._namespace(body, question))
        output = read_completion(asked.body)
        if output.text is None:
            raise NoOpinion(f"{self._model}: no text: {output.refusal or output.finish_reason!r:.200}")
        return Opinion(text=output.text, cost_nanousd=asked.cost_nanousd)

    def _namespace(self, body: dict[str, Any], question: Question) -> str | None:
        told = hashlib.blake2b(msgspec.json.encode(body), digest_size=12).hexdigest()
        return current_key(f"judge:{told}:{question.sample}")
