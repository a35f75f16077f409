"""The shape of the section ``alerts``: what is watched, and who is told.

Addresses and secrets of receivers are best given by variables (``url_env``, ``secret_env``); both are masked where the
configuration is shown. A receiver with a ``tenant`` is that tenant's and never told of anybody else's.
"""

import re
from string import Formatter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the mildest to the worst."""
RuleKind = Literal[
    "latency",
    "success_rate",
    "budget_used",
    "quality",
    "spend_anomaly",
    "breaker_open",
    "drops",
    "slo_burn",
    "drift",
    "rollout",
]
Dimension = Literal["tenant", "model", "release"]
PLACEHOLDERS = frozenset(
    {"rule", "severity", "status", "value", "threshold", "labels", "summary", "link", "since", "detail"}
)
BELOW: frozenset[RuleKind] = frozenset({"success_rate", "quality"})
"""Kinds that alert when the value is too small; all others when it is too large."""
GIVEN: frozenset[RuleKind] = frozenset({"breaker_open", "slo_burn", "rollout"})
"""Kinds that need no threshold: what they look at is a verdict already."""
_SCOPED: frozenset[RuleKind] = frozenset({"latency", "success_rate", "quality", "spend_anomaly"})
"""Kinds whose data can be told apart by tenant, model and release."""
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_ADDRESS = re.compile(r"[^\s<>@,;]+@[^\s<>@,;]+")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiverSettings(_Section):
    """Who is told: a `webhook`, a `slack`-compatible webhook, or `email` by SMTP."""

    name: str = Field(min_length=1, max_length=80, pattern=_NAME, description="What rules call it in `notify`.")
    kind: Literal["webhook", "slack", "email"] = Field(description="How it is told.")
    tenant: str | None = Field(
        None, min_length=1, max_length=64, description="Whose it is: it is told of this tenant's alerts alone."
    )
    url: SecretStr | None = Field(None, description="Where a webhook is posted to; redirects are not followed.")
    url_env: str | None = Field(None, pattern=_VARIABLE, description="Variable that holds the address instead.")
    secret: SecretStr | None = Field(None, description="Signs a webhook's body (HMAC); better by `secret_env`.")
    secret_env: str | None = Field(None, pattern=_VARIABLE, description="Variable that holds it.")
    host: str | None = Field(None, min_length=1, max_length=255, description="SMTP server.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    tls: Literal["starttls", "tls", "off"] = Field(
        "starttls", description="`starttls`: demanded, not tried; `tls` from the first byte (port 465); `off`."
    )
    username_env: str | None = Field(None, pattern=_VARIABLE, description="Variable with the SMTP user.")
    password_env: str | None = Field(None, pattern=_VARIABLE, description="Variable with the SMTP password.")
    sender: str | None = Field(None, max_length=320, description="The mail's From.")
    to: list[str] = Field([], max_length=50, description="Its recipients.")
    send_resolved: bool = Field(True, description="Also say when it is over.")
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="How long one delivery may take.")

    @field_validator("to", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _http_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _complete(self) -> "ReceiverSettings":
        for plain, variable in (("url", "url_env"), ("secret", "secret_env")):
            if getattr(self, plain) is not None and getattr(self, variable) is not None:
                raise ValueError(f"give {plain} or {variable}, not both")
        if self.kind == "email":
            if self.host is None or self.sender is None or not self.to:
                raise ValueError("kind 'email' needs host, sender and to")
            for address in (self.sender, *self.to):
                if not _ADDRESS.fullmatch(address):
                    raise ValueError(f"{address[:80]!r} is not a mail address such as oncall@example.com")
            if (self.username_env is None) != (self.password_env is None):
                raise ValueError("username_env and password_env go together")
            if self.username_env is not None and self.tls == "off":
                raise ValueError("a password is not sent without TLS; choose tls: starttls")
        elif self.url is None and self.url_env is None:
            raise ValueError(f"kind {self.kind!r} needs url or url_env")
        return self


class AlertRuleSettings(_Section):
    """What is watched, and when it is too much."""

    name: str = Field(min_length=1, max_length=80, pattern=_NAME, description="Unique; shown in every message.")
    kind: RuleKind = Field(
        description="`latency` (seconds, a quantile), `success_rate` (share of calls), `budget_used` (share of any "
        "budget), `quality` (mean of a score), `spend_anomaly` (robust z-score of an hour's spend), `breaker_open` (or "
        "a credential that is refused), `drops` (records and spans lost), `slo_burn`, `drift` (the size of a shift, no "
        "chance, that `evals.drift` has found; 0.25 is much), `rollout` (went back, or waits for a human)."
    )
    threshold: dict[Severity, float] = Field(
        {},
        description="From where on it alerts: a number, or one for each severity. `success_rate` and `quality` alert "
        "below it. `breaker_open`, `slo_burn` and `rollout` take none.",
    )
    severity: Severity = Field("warning", description="How bad it is, where `threshold` is one number or none.")
    where: dict[Dimension, str] = Field({}, description="Only of this tenant, model or release; `*` matches.")
    per: list[Dimension] = Field([], description="Judge each tenant, model or release, or combination, by itself.")
    window_seconds: float = Field(300.0, ge=60, le=30 * 86400, description="How far back it looks.")
    for_seconds: float = Field(0.0, ge=0, le=86400, description="How long it has to be so before it alerts.")
    clear_seconds: float = Field(
        120.0, ge=0, le=86400, description="How long it has to be well again; doubles with each relapse in an hour."
    )
    min_events: int = Field(20, ge=1, le=10**9, description="Fewer calls or scores in the window say nothing.")
    quantile: float = Field(0.95, gt=0, lt=1, description="Of `latency`.")
    score: str | None = Field(None, min_length=1, max_length=200, description="Of `quality`: which score.")
    min_usd: float = Field(
        1.0, ge=0, le=10**9, description="Of `spend_anomaly`: an hour counts when it costs this much more than usual."
    )
    baseline_days: int = Field(14, ge=3, le=60, description="Of `spend_anomaly`: how many past days it compares with.")
    min_days: int = Field(5, ge=3, le=60, description="Of `spend_anomaly`: with fewer days of data it says nothing.")
    notify: list[str] = Field([], max_length=20, description="Receivers. Empty: those without a tenant.")
    message: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="A text of your own, with any of {rule} {severity} {status} {value} {threshold} {labels} {summary} "
        "{detail} {since} {link}.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_threshold(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("threshold"), int | float):
            return {**value, "threshold": {value.get("severity", "warning"): value["threshold"]}}
        return value

    @field_validator("per", "notify", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("message")
    @classmethod
    def _known_placeholders(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                found = [(name, spec, change) for _, name, spec, change in Formatter().parse(value) if name is not None]
            except ValueError as exc:
                raise ValueError(f"is not a template: {exc}") from exc
            for name, spec, change in found:
                if name not in PLACEHOLDERS or spec or change:
                    raise ValueError(f"{{{name}}} is none of {', '.join(sorted(PLACEHOLDERS))}")
        return value

    @model_validator(mode="after")
    def _fits_kind(self) -> "AlertRuleSettings":
        if not self.threshold and self.kind not in GIVEN:
            raise ValueError(f"kind {self.kind!r} needs a threshold")
        if self.threshold and self.kind in GIVEN:
            raise ValueError(f"kind {self.kind!r} takes no threshold")
        steps = [self.threshold[severity] for severity in SEVERITIES if severity in self.threshold]
        if steps != sorted(steps, reverse=self.kind in BELOW):
            raise ValueError("a worse severity must have the worse threshold")
        if (self.where or self.per) and self.kind not in (*_SCOPED, "budget_used"):
            raise ValueError(f"kind {self.kind!r} cannot be told apart by tenant, model or release")
        if self.kind == "budget_used" and (self.per or set(self.where) - {"tenant"}):
            raise ValueError("budgets are told apart by themselves; where takes a tenant only")
        if (self.kind == "quality") != (self.score is not None):
            raise ValueError("score names what kind 'quality' looks at, and goes with no other")
        if len(set(self.per)) != len(self.per):
            raise ValueError("per names something twice")
        if self.min_days > self.baseline_days:
            raise ValueError(f"min_days {self.min_days} is more than baseline_days {self.baseline_days}")
        return self

    @property
    def levels(self) -> dict[Severity, float | None]:
        """The thresholds, mildest first; of a verdict its severity, of burns both: a slow one warns, a fast one is
        critical."""
        if self.kind == "slo_burn":
            return {"warning": None, "critical": None}
        if self.kind in GIVEN:
            return {self.severity: None}
        return {severity: self.threshold[severity] for severity in SEVERITIES if severity in self.threshold}

    def is_beyond(self, value: float, threshold: float) -> bool:
        return value < threshold if self.kind in BELOW else value >= threshold


def _usual_rules() -> list[AlertRuleSettings]:
    """What is worth knowing in every installation."""
    return [
        AlertRuleSettings(
            name="success-rate", kind="success_rate", per=["model"], threshold={"warning": 0.95, "critical": 0.8}
        ),
        AlertRuleSettings(
            name="budget", kind="budget_used", threshold={"warning": 0.8, "critical": 1.0}, clear_seconds=0
        ),
        AlertRuleSettings(name="spend", kind="spend_anomaly", per=["tenant", "model"], threshold={"warning": 5.0}),
        AlertRuleSettings(name="breaker", kind="breaker_open", severity="critical", for_seconds=60),
        AlertRuleSettings(name="drops", kind="drops", threshold={"critical": 1}),
        AlertRuleSettings(name="objectives", kind="slo_burn"),
        AlertRuleSettings(name="rollouts", kind="rollout"),
    ]


class AlertSettings(_Section):
    """Alerts: rules over what is recorded, and receivers that are told when one is broken."""

    enabled: bool = Field(True, description="Look at the rules.")
    interval_seconds: float = Field(30.0, ge=0.1, le=3600, description="How often.")
    repeat_seconds: float = Field(
        4 * 3600.0, ge=60, le=30 * 86400, description="What still goes on is said again after this time."
    )
    link: str | None = Field(None, max_length=500, description="The address that messages lead to.")
    history_days: float = Field(90.0, gt=0, le=36_500, description="How long past alerts are kept.")
    retry_hours: float = Field(24.0, gt=0, le=168, description="How long a delivery is tried before it is given up.")
    max_waiting: int = Field(
        1000, ge=1, le=100_000, description="Messages that may wait for a receiver; beyond, the oldest are given up."
    )
    receivers: list[ReceiverSettings] = Field([], max_length=100, description="Who is told.")
    rules: list[AlertRuleSettings] = Field(
        default_factory=_usual_rules,
        max_length=500,
        description="What is watched. Default: `success-rate`, `budget`, `spend`, `breaker`, `drops` and `objectives`.",
    )

    @field_validator("link")
    @classmethod
    def _http_link(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "AlertSettings":
        for what, names in (("receivers", [each.name for each in self.receivers]), ("rules", self.rule_names)):
            if len(set(names)) != len(names):
                raise ValueError(f"two {what} have the same name")
        known = {receiver.name: receiver for receiver in self.receivers}
        for rule in self.rules:
            for name in rule.notify:
                if name not in known:
                    raise ValueError(f"the rule {rule.name!r} notifies {name!r}, which is no receiver")
                tenant = known[name].tenant
                by_tenant = "tenant" in rule.per or rule.where.get("tenant") == tenant
                if tenant is not None and not by_tenant and rule.kind not in ("budget_used", "slo_burn"):
                    raise ValueError(
                        f"the rule {rule.name!r} does not tell tenants apart, so that {name!r}, which is "
                        f"{tenant!r}'s, would never be told; add per: [tenant]"
                    )
        return self

    @property
    def rule_names(self) -> list[str]:
        return [rule.name for rule in self.rules]


def check_url(value: str) -> None:
    """`ValueError` for what is no plain http address. The value is not repeated: it may be a secret."""
    if not value.startswith(("http://", "https://")) or len(value) < 9:
        raise ValueError("must begin with http:// or https:// and name a host")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("holds a character that cannot stand in a URL; percent-encode it")
    if "@" in value.split("/")[2]:
        raise ValueError("must not hold a user or password")
