"""A call as drift sees it: lengths always, texts where they were captured. And what is found of two windows of them."""

from typing import Literal

import msgspec

Aspect = Literal["prompt_tokens", "output_tokens", "refusals", "languages", "topics", "embeddings"]
ASPECTS: tuple[Aspect, ...] = ("prompt_tokens", "output_tokens", "refusals", "languages", "topics", "embeddings")
Measure = Literal["psi", "cohen_h"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    tokens_in: int
    tokens_out: int
    finish_reason: str | None = None
    asked: str | None = None
    """What the user said."""
    answered: str | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    since_s: float
    until_s: float
    calls: int
    """How many it has."""
    looked_at: int
    with_texts: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect. ``size``: 0.1 is some shift, 0.25 much (PSI; for refusals Cohen's h, which sees a rare thing become
    less rare). None: it could not be measured, and ``note`` says why."""

    aspect: Aspect
    size: float | None = None
    measure: Measure = "psi"
    p_value: float | None = None
    is_shifted: bool = False
    """Both large and real."""
    is_real: bool = False
    """No chance, however small."""
    n_reference: int = 0
    n_current: int = 0
    before: str = ""
    now: str = ""
    """A figure or the largest shares, in words."""
    note: str = ""


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    watch: str
    at_s: float
    where: dict[str, str]
    reference: Window
    current: Window
    findings: list[Finding]

    @property
    def is_shifted(self) -> bool:
        return any(each.is_shifted for each in self.findings)
