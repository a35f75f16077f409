"""The shape of ``evals.online`` and ``evals.drift``: which live calls are scored, and what is watched for drift."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

CallFilter = Literal["tenant", "model", "release", "operation"]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OnlineRuleSettings(_Section):
    """Which calls are scored, by what, and how much that may cost."""

    name: str = Field(min_length=1, max_length=40, pattern=_NAME, description="Unique; stands with every score.")
    where: dict[CallFilter, str] = Field(
        {}, description="Only calls of this tenant, model, release or operation; `*` matches."
    )
    sample: float = Field(
        0.1, gt=0, le=1, description="Share of traces that is scored; all calls of a trace are in it, or none."
    )
    scorers: list[str | dict[str, Any]] = Field(
        min_length=1, max_length=20, description="Names, or name: settings; module:attr is one of yours."
    )
    judge: str | None = Field(None, min_length=1, max_length=200, description="The model that judging scorers ask.")
    judge_params: dict[str, Any] | None = Field(None, description="Its parameters; by default a temperature of 0.")
    budget_usd_per_day: float | None = Field(
        None, gt=0, le=10**6, description="What judges may cost in a day (UTC). Needed where there is a judge."
    )

    @field_validator("scorers", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _bounded(self) -> "OnlineRuleSettings":
        if self.judge is not None and self.budget_usd_per_day is None:
            raise ValueError(f"the rule {self.name!r} has a judge and needs budget_usd_per_day")
        return self


class OnlineSettings(_Section):
    """Live calls that are scored, beside the calls."""

    enabled: bool = Field(True, description="Follow the rules.")
    rules: list[OnlineRuleSettings] = Field([], max_length=50, description="What is scored.")
    tenant: str = Field("default", min_length=1, max_length=64, description="Who pays for judges.")
    concurrency: int = Field(4, ge=1, le=64, description="Judgements under way at a time.")
    timeout_seconds: float = Field(60.0, gt=0, le=600, description="How long one judgement may take.")
    max_delay_hours: float = Field(
        24.0, gt=0, le=24 * 30, description="Calls that could not be scored for so long are left out, and counted."
    )
    keep_explanations: bool = Field(
        False, description="Store what a judge says beside its score; it may quote what was captured."
    )

    @field_validator("rules")
    @classmethod
    def _named_once(cls, value: list[OnlineRuleSettings]) -> list[OnlineRuleSettings]:
        _check_names([each.name for each in value], "rules")
        return value


class DriftWatchSettings(_Section):
    """A window of calls that is compared with the time before it."""

    name: str = Field(min_length=1, max_length=40, pattern=_NAME, description="Unique; a label of the metric.")
    where: dict[CallFilter, str] = Field({}, description="Only calls of this tenant, model, release or operation.")
    window_hours: float = Field(24.0, ge=0.1, le=24 * 90, description="The window that ends now.")
    reference_hours: float = Field(
        7 * 24.0, ge=0.1, le=24 * 365, description="The reference, which ends where it begins."
    )
    min_calls: int = Field(100, ge=20, le=10**6, description="With fewer calls in a window nothing is said.")
    max_calls: int = Field(2000, ge=100, le=20_000, description="So many of each window are looked at.")
    embedding_model: str | None = Field(
        None, min_length=1, max_length=200, description="A model for embeddings: captured prompts are compared by it."
    )

    @field_validator("where")
    @classmethod
    def _exact(cls, value: dict[CallFilter, str]) -> dict[CallFilter, str]:
        for name, wanted in value.items():
            if "*" in wanted:
                raise ValueError(f"{name}: {wanted!r}: must be one name, without *")
        return value


class DriftSettings(_Section):
    """Drift: whether live calls still look as they did."""

    interval_minutes: float = Field(60.0, ge=1, le=24 * 60, description="How often it is looked.")
    watches: list[DriftWatchSettings] = Field([], max_length=50, description="What is compared.")

    @field_validator("watches")
    @classmethod
    def _named_once(cls, value: list[DriftWatchSettings]) -> list[DriftWatchSettings]:
        _check_names([each.name for each in value], "watches")
        return value


def _check_names(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two {what} are called {name!r}")
