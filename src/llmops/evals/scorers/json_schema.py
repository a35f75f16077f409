"""Does the answer fit a JSON Schema? References to other documents are not followed: nothing is fetched."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import NoReference, binary, json_in, text_of

_TOLD = 5


@dataclass(frozen=True, kw_only=True)
class JsonSchema:
    """The answer is JSON that fits a JSON Schema."""

    schema: Annotated[dict[str, Any] | None, Meta(description="None: the case's `metadata.schema`")] = None
    fenced: Annotated[bool, Meta(description="Also right inside one Markdown fence")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "json_schema"

    def __post_init__(self) -> None:
        if self.schema is not None:
            validator_of(msgspec.json.encode(self.schema))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        schema = case.metadata.get("schema") if self.schema is None else self.schema
        if not isinstance(schema, dict):
            raise NoReference(f"metadata.schema: {schema!r:.100}: a JSON Schema is needed, there or in the settings")
        validator = validator_of(msgspec.json.encode(schema))
        try:
            value = json_in(text_of(output), fenced=self.fenced)
        except ValueError as exc:
            return binary(self.name, False, str(exc)[:200])
        wrong = [error.message[:200] for error in islice(validator.iter_errors(value), _TOLD)]
        return binary(self.name, not wrong, "; ".join(wrong) or None)


@lru_cache(maxsize=256)
def validator_of(schema: bytes) -> Any:
    """The compiled schema. `ValueError` if it cannot be used; patterns match in linear time."""
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            msgspec.json.decode(schema), retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as exc:
        raise ValueError(f"schema: cannot be used: {exc}") from exc


def _refuse(uri: str) -> None:
    raise ValueError(f"it refers to {uri!r}, and references to other documents are not followed")
