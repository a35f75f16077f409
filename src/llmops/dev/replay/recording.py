"""Recorded answers, found by the model and the last words of its prompt.

A line is ``{"prompt": …, "response": …}``, for any model or the one of its ``model``; or has an object with a
``response`` for each of several models, ``{"prompt": …, "model-a": {"response": …}, "model-b": {"response": …}}``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

ANY = "*"


class RecordingError(Exception):
    """The file is no recording; the message names the line."""


class Recording:
    def __init__(self, answers: Iterable[tuple[str, str, str]]) -> None:
        """Each a model, or `ANY`, its prompt, and what it said. Of two answers to one prompt the last counts."""
        self._answers = {(model, prompt.strip()): said for model, prompt, said in answers}
        self.models = sorted({model for model, _ in self._answers if model != ANY})

    def __len__(self) -> int:
        return len(self._answers)

    @classmethod
    def read(cls, path: Path) -> Self:
        found: list[tuple[str, str, str]] = []
        try:
            lines = path.read_bytes().splitlines()
        except OSError as exc:
            raise RecordingError(f"{path}: {exc.strerror or exc}") from exc
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                answers = list(_answers(msgspec.json.decode(line, type=dict[str, Any])))
            except msgspec.DecodeError as exc:
                raise RecordingError(f"{path}: line {number}: {exc}") from exc
            if not answers:
                raise RecordingError(
                    f'{path}: line {number}: has to have a "prompt", and a "response" or models with one'
                )
            found += answers
        return cls(found)

    def answer(self, model: str, prompt: str) -> str | None:
        prompt = prompt.strip()
        own = self._answers.get((model, prompt))
        return own if own is not None else self._answers.get((ANY, prompt))


def _answers(line: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    prompt = line.get("prompt")
    if not isinstance(prompt, str):
        return
    if isinstance(said := line.get("response"), str):
        model = line.get("model")
        yield model if isinstance(model, str) else ANY, prompt, said
    for name, value in line.items():
        if isinstance(value, dict) and isinstance(said := value.get("response"), str):
            yield name, prompt, said
