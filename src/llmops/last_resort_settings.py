"""The shape of a model's ``last_resorts``: ``stale``, ``{model: <name>}`` or ``{template: <text>}``."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

_FORMS = "one of: stale, {model: <another model's name>}, {template: <a text>}"


class LastResortSettings(BaseModel):
    """One of the three; `stale` is short for `{stale: true}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stale: bool = Field(
        False, description="An answer of the cache that is too old, for `cache.stale_seconds` after its time."
    )
    model: str | None = Field(
        None, min_length=1, max_length=200, description="Another model's name; its own last resorts are not followed."
    )
    template: str | None = Field(
        None, min_length=1, max_length=20_000, description="The text of the answer, the same for everybody."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value == "stale":
            return {"stale": True}
        if not isinstance(value, dict):
            raise ValueError(f"must be {_FORMS}")
        return value

    @model_validator(mode="after")
    def _one_of_three(self) -> "LastResortSettings":
        if self.stale + (self.model is not None) + (self.template is not None) != 1:
            raise ValueError(f"must be {_FORMS}")
        if self.model is not None and "*" in self.model:
            raise ValueError(f"model: {self.model!r}: must be one model's name, not a pattern")
        return self
