"""Is an arm's share of events what its share of traffic says? The beta-binomial e-process, valid at every look.

Used twice. Over *errors*: if the canary is no worse, each error is the canary's with probability rho, whatever the
error rate does over the day. Over *assignments*: the same question is the sample-ratio-mismatch test. After Lindon
and Malek 2022 (multinomial counts) and Lindon, Sanden, Shirikian 2022 (arXiv 2205.14762)::

    E_n = B(k rho + S, k (1 - rho) + n - S) / [B(k rho, k (1 - rho)) rho^S (1 - rho)^(n - S)]

kept as a running sum of logarithms of its predictive factors. A change of rho closes a segment; evidence multiplies.
"""

import math

import msgspec

from ..special import beta_cdf


class ShareProcess(msgspec.Struct):
    """``rho`` is the canary's share of traffic, ``k`` how firmly the mixture sits around it (in events)."""

    rho: float
    k: float = 10.0
    n: int = 0
    """Events of this segment, and how many of them are the canary's."""
    canary: int = 0
    log_segment: float = 0.0
    log_closed: float = 0.0
    """Evidence of the segments before, two-sided and one-sided."""
    log_closed_excess: float = 0.0

    def __post_init__(self) -> None:
        _check(self.rho)
        if not self.k > 0:
            raise ValueError(f"k is {self.k!r}; it has to be above 0")

    def observe(self, in_canary: bool) -> None:
        """Count one event."""
        k, rho = self.k, self.rho
        if in_canary:
            self.log_segment += math.log((k * rho + self.canary) / ((k + self.n) * rho))
            self.canary += 1
        else:
            stable = self.n - self.canary
            self.log_segment += math.log((k * (1 - rho) + stable) / ((k + self.n) * (1 - rho)))
        self.n += 1

    def change_share(self, rho: float) -> None:
        """Go on with another share of traffic, such as a canary's next step."""
        _check(rho)
        if rho == self.rho:
            return
        self.log_closed, self.log_closed_excess = self.log_e, self.log_excess
        self.rho, self.n, self.canary, self.log_segment = rho, 0, 0, 0.0

    @property
    def log_e(self) -> float:
        """Two-sided evidence: the canary's share differs, either way. For sample ratio mismatch."""
        return self.log_closed + self.log_segment

    @property
    def log_excess(self) -> float:
        """One-sided evidence that the canary has more than its share: the mixture cut off below rho.

        An e-process also if the canary is truly better. Costs an incomplete beta function: ask ``may_exceed`` first.
        """
        if not self.n:
            return self.log_closed_excess
        a, b = self.k * self.rho, self.k * (1 - self.rho)
        above = beta_cdf(1 - self.rho, b + self.n - self.canary, a + self.canary)
        cut = math.log(above) if above > 0 else -math.inf
        return self.log_closed_excess + self.log_segment + cut - self._log_prior_above

    def may_exceed(self, threshold: float) -> bool:
        """Whether ``log_excess`` can have reached ``threshold``: a bound that costs next to nothing."""
        return self.log_closed_excess + self.log_segment - self._log_prior_above >= threshold

    @property
    def _log_prior_above(self) -> float:
        key = (self.rho, self.k)
        if key not in _PRIOR:
            if len(_PRIOR) > 1000:
                _PRIOR.clear()
            _PRIOR[key] = math.log(beta_cdf(1 - self.rho, self.k * (1 - self.rho), self.k * self.rho))
        return _PRIOR[key]


_PRIOR: dict[tuple[float, float], float] = {}
"""Of each (rho, k) in use, the logarithm of the mixture's mass above rho: a constant that is dear to compute."""


def e_value(canary: int, n: int, rho: float, k: float = 10.0) -> float:
    """The two-sided e-value of ``canary`` of ``n`` events at a constant share, in closed form."""
    _check(rho)
    if not 0 <= canary <= n:
        raise ValueError(f"{canary!r} of {n!r} events cannot be the canary's")
    a, b = k * rho, k * (1 - rho)
    stable = n - canary
    rising = math.lgamma(a + canary) - math.lgamma(a) + math.lgamma(b + stable) - math.lgamma(b)
    likelihood = canary * math.log(rho) + stable * math.log1p(-rho)
    return math.exp(rising - math.lgamma(k + n) + math.lgamma(k) - likelihood)


def _check(rho: float) -> None:
    if not 0 < rho < 1:
        raise ValueError(f"rho is {rho!r}; the canary's share has to be between 0 and 1")
