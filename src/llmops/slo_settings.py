"""The shape of an objective (SLO) in the configuration: what is promised, of which calls, over how long."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ObjectiveName = Literal["availability", "latency", "ttft", "cost", "quality"]
Dimension = Literal["model", "operation", "release", "tenant"]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]

_BELONGS = {"latency": "threshold_seconds", "ttft": "threshold_seconds", "cost": "usd", "quality": "score"}


class SLOSettings(BaseModel):
    """A promise about calls. Its alerts fire when its error budget burns much faster than the window allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Names it in metrics and alerts.",
    )
    objective: ObjectiveName = Field(
        description="`availability`: calls that do not fail; `latency`, `ttft`: answers, first contents in time; "
        "`cost`: money in the window; `quality`: scores that are high enough."
    )
    target: float | None = Field(
        None, gt=0, lt=1, description="Share of events that have to be good, e.g. 0.999; not for `cost`."
    )
    threshold_seconds: float | None = Field(
        None, gt=0, le=3600, description="For `latency` and `ttft`: good is up to it."
    )
    usd: float | None = Field(None, gt=0, le=1_000_000_000, description="For `cost`: what may be spent in the window.")
    score: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="For `quality`: the score's name; `json_valid` is whether an answer fits the JSON demanded.",
    )
    at_least: float | None = Field(None, ge=0, le=1, description="For `quality`: the least good score.")
    window_days: float = Field(30.0, ge=1, le=90, description="Over which the promise holds; it slides.")
    per: list[Dimension] = Field([], max_length=4, description="Each value has a budget of its own.")
    where: dict[Dimension, Pattern] = Field({}, description="Only calls that fit: a value, or a pattern with `*`.")
    minimum_events: int = Field(
        100, ge=1, le=1_000_000_000, description="Events in an alert's longer window before it may fire."
    )
    minimum_bad_events: int = Field(
        5, ge=1, le=1_000_000_000, description="Bad events there before it may; not for `cost`."
    )
    description: str = Field("", max_length=300, description="For whoever gets the alert.")

    @field_validator("target", mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value < 100:
            raise ValueError(f"{value!r} is a percentage; as a share it is {value / 100:g}")
        return value

    @field_validator("per", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("per")
    @classmethod
    def _distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("names something twice")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "SLOSettings":
        needed = _BELONGS.get(self.objective)
        for field in ("threshold_seconds", "usd", "score"):
            given = getattr(self, field) is not None
            if field == needed and not given:
                raise ValueError(f"an objective of {self.objective} needs {field}")
            if field != needed and given:
                raise ValueError(f"{field} does not belong to an objective of {self.objective}")
        if (self.target is None) != (self.objective == "cost"):
            raise ValueError("an objective of cost has usd, and no target" if self.target else "target is missing")
        judged = self.objective == "quality" and self.score != "json_valid"
        if judged != (self.at_least is not None):
            raise ValueError(
                "at_least goes with a score that people or judges give; this one "
                + ("needs it" if judged else "does without")
            )
        other = sorted({*self.per, *self.where} - {"tenant"})
        if judged and other:
            raise ValueError(f"a score that people or judges give is told apart by tenant alone, not by {other[0]}")
        return self
