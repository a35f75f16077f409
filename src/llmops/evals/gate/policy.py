"""A gate's policy: a YAML file that says, before anything is measured, what counts as worse and who decides.

Unknown keys and impossible values are errors. ``Policy.digest`` is of everything that a verdict depends on: two
decisions with the same digest were made by the same rules; where files lie is no part of it.
"""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import ConfigError
from ...statistics.criterion import Criterion
from ..config import DatasetConfig, JudgeConfig, RunConfig, SubjectConfig
from ..score import Metric

Tier = Literal["critical", "guard", "advisory"]
Undecided = Literal["block", "hold", "warn"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GateDataset(DatasetConfig):
    """Which cases, and which version of them."""

    version: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="The content's hash; another content is an ERROR."
    )


class Subjects(_Section):
    """The two arms. Both are asked in the same window."""

    baseline: SubjectConfig
    candidate: SubjectConfig


class MetricPolicy(_Section):
    """What is declared for one metric. Direction and range are the scorer's; saying another direction is an ERROR."""

    margin: float = Field(gt=0, description="The largest tolerable loss; for ratios a share (0.1 is ten per cent).")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Error level of PASS, and of BLOCK.")
    tier: Tier = Field("critical", description="`critical` and `guard` decide, `advisory` is shown.")
    direction: Literal["higher", "lower"] | None = Field(None, description="Which values are better.")
    least_effect: float | None = Field(None, ge=0, description="The smallest loss that blocks; half the margin.")
    quantile: float | None = Field(None, gt=0, lt=1, description="Compare this quantile instead of the means.")
    missing_limit: float = Field(0.0, ge=0, lt=0.5, description="Share of cells without a value, judged at worst.")
    power: float = Field(0.8, gt=0.5, lt=1, description="What `plan` plans for.")
    variance: float | None = Field(None, gt=0, description="Expected variance of one case's gain; right/wrong: flips.")

    def criterion(self, metric: Metric) -> Criterion:
        """With the scorer's direction and range; `ValueError` where these contradict the policy."""
        if self.direction is not None and self.direction != metric.direction:
            raise ValueError(f"direction is {self.direction!r}; the scorer says that {metric.direction!r} is better")
        is_ratio = metric.scale == "ratio"
        return Criterion(
            margin=self.margin,
            alpha=self.alpha,
            direction=metric.direction,
            least_effect=self.least_effect,
            scale="ratio" if is_ratio else "difference",
            quantile=self.quantile,
            lowest=None if is_ratio else (0.0 if metric.scale == "binary" else metric.low),
            highest=None if is_ratio else (1.0 if metric.scale == "binary" else metric.high),
            missing_limit=self.missing_limit,
        )


class Quarantined(_Section):
    """A flaky must-pass case that decides nothing until a day; it is counted in every report."""

    case: str = Field(min_length=1)
    until: date = Field(description="The last day. From the next one on the case decides again.")
    reason: str = Field(min_length=1)


class MustPass(_Section):
    """Cases that stay mended, judged one by one by their reliability. They are marked `must_pass` in the dataset."""

    metric: str = Field(description="By which metric a case passes.")
    at_least: float = Field(1.0, description="From which value on; for metrics where lower is better: up to which.")
    tolerance: float = Field(0.3, gt=0, lt=1, description="How much less often than before counts as lost.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="For losing any healthy case wrongly, all cases together.")
    beta: float = Field(0.1, gt=0, lt=0.5, description="For overlooking a lost case.")
    repeats: int = Field(8, ge=1, le=1000, description="Fresh repeats of each at first.")
    most_repeats: int = Field(24, ge=1, le=1000, description="And at most, while it is undecided.")
    undecided: Undecided = Field("hold", description="What it means if that does not decide.")
    quarantine: list[Quarantined] = []

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.most_repeats < self.repeats:
            raise ValueError(f"most_repeats is {self.most_repeats!r}; at least the {self.repeats!r} of repeats")
        return self

    def quarantined(self, now_s: float) -> dict[str, Quarantined]:
        today = datetime.fromtimestamp(now_s, UTC).date()
        return {each.case: each for each in self.quarantine if each.until >= today}


class Slices(_Section):
    """Groups of cases that must not get worse each for itself; Holm's correction covers all of them."""

    by: list[str] = Field(min_length=1, max_length=20, description="Metadata keys.")
    metrics: list[str] | None = Field(None, description="Which metrics; by default all that decide.")
    least_cases: int = Field(10, ge=2, description="Smaller groups are counted and not tested.")


class Budget(_Section):
    """What both arms together may take."""

    usd: float | None = Field(None, gt=0)
    cells: int | None = Field(None, ge=2)


class Extension(_Section):
    """How the gate goes on while it cannot decide. Alpha is spent over all looks (Lan and DeMets)."""

    looks: int = Field(1, ge=1, le=10, description="How often it may decide; 1: once.")
    first_cases: int | None = Field(None, ge=1, description="Cases of the first look, in random order; default: all.")
    most_repeats: int | None = Field(None, ge=1, le=100, description="Repeats of each case at the last look.")
    strata: str | None = Field(None, description="A metadata key: repeats are shared among its values (Neyman).")
    spending: Literal["obrien-fleming", "pocock"] = "obrien-fleming"


class Inconclusive(_Section):
    """What INCONCLUSIVE of a metric means for the gate: `block`; `hold`, exit code 2; or `warn`: it is let through."""

    critical: Literal["block", "hold"] = "hold"
    guard: Undecided = "hold"


class Policy(_Section):
    """What `llmops gate` reads."""

    name: str = Field("gate", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$", description="Shown in every report.")
    baseline: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$", description="The promoted baseline that is defended."
    )
    dataset: GateDataset
    subjects: Subjects
    scorers: list[str | dict[str, Any]] = Field(min_length=1)
    judge: JudgeConfig | None = None
    panel: list[JudgeConfig] = []
    embeddings: str | None = Field(None, min_length=1, description="The model whose embeddings scorers compare.")
    calibrations: Path | None = Field(None, description="Judges' calibrations; without one a judge is advisory.")
    metrics: dict[str, MetricPolicy] = Field(min_length=1)
    must_pass: MustPass | None = None
    slices: Slices | None = None
    budget: Budget = Budget()
    repeats: int = Field(1, ge=1, le=100, description="Of each case at the first look.")
    extension: Extension = Extension()
    inconclusive: Inconclusive = Inconclusive()
    concurrency: int = Field(16, ge=1, le=4096, description="Calls at a time, both arms together.")
    timeout_s: float = Field(120.0, gt=0, le=86_400)
    seed: int = 0
    tenant: str = "default"

    @field_validator("dataset", mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"path": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        most = self.extension.most_repeats
        if most is not None and most < self.repeats:
            raise ValueError(f"extension.most_repeats is {most!r}; at least the {self.repeats!r} of repeats")
        known = self.slices.metrics if self.slices is not None else None
        unknown = sorted(set(known or ()) - set(self.metrics))
        if unknown:
            raise ValueError(f"slices.metrics: {unknown[0]!r} is not among metrics")
        return self

    @property
    def digest(self) -> str:
        where: Any = {
            "calibrations": True,
            "dataset": {"path"},
            "subjects": {"baseline": {"replay"}, "candidate": {"replay"}},
        }
        told = msgspec.json.encode(self.model_dump(mode="json", exclude=where), order="deterministic")
        return hashlib.sha256(told).hexdigest()[:16]

    @property
    def most_repeats(self) -> int:
        """How often a case may be asked at all: what the arms' runs are begun with."""
        must = self.must_pass.most_repeats if self.must_pass is not None else 1
        return max(self.repeats, self.extension.most_repeats or 1, must)

    def arm(self, which: Literal["baseline", "candidate"]) -> RunConfig:
        """One arm as a run."""
        return RunConfig(
            dataset=DatasetConfig.model_validate(self.dataset.model_dump(exclude={"version"})),
            subject=getattr(self.subjects, which),
            scorers=self.scorers,
            judge=self.judge,
            panel=self.panel,
            embeddings=self.embeddings,
            calibrations=self.calibrations,
            repeats=self.most_repeats,
            concurrency=max(1, self.concurrency // 2),
            timeout_s=self.timeout_s,
            seed=self.seed,
            tenant=self.tenant,
        )


def read_policy(path: Path) -> Policy:
    """`ConfigError` with every problem. Paths in it are relative to where it lies."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError([str(exc)], source=str(path)) from exc
    policy = check_policy(given, source=str(path))
    folder = path.parent
    subjects = {}
    for which in ("baseline", "candidate"):
        subject = getattr(policy.subjects, which)
        replay = folder / subject.replay if subject.replay is not None else None
        subjects[which] = subject.model_copy(update={"replay": replay})
    dataset = policy.dataset.model_copy(update={"path": folder / policy.dataset.path})
    known = folder / policy.calibrations if policy.calibrations is not None else None
    changed = {"dataset": dataset, "subjects": Subjects.model_construct(**subjects), "calibrations": known}
    return policy.model_copy(update=changed)


def check_policy(given: Any, *, source: str = "the gate's policy") -> Policy:
    try:
        return Policy.model_validate(given)
    except ValidationError as exc:
        problems = [
            f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg'].removeprefix('Value error, ')}"
            + (f" (it is {each['input']!r:.80})" if each["loc"] and each["type"] != "missing" else "")
            for each in exc.errors()
        ]
        raise ConfigError(problems, source=source) from exc
