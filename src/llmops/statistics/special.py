"""The special functions that tests and intervals stand on, in the standard library: normal, t, beta, chi-square.

Here so that the gateway's process needs no numerical library for a canary. Relative error is below 1e-9 over the
arguments that occur (tests compare with scipy). The normal quantile is our own too, because the standard library's
lives in a module that this package's name would hide from a script started inside ``llmops``.
"""

import math

_TINY = 1e-300
_EPSILON = 1e-15


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def normal_quantile(p: float) -> float:
    """The x with ``normal_cdf(x) == p``; 0 < p < 1. Abramowitz and Stegun 26.2.23, polished by Halley steps."""
    _check_share("p", p, inside=True)
    if p > 0.5:
        return -normal_quantile(1 - p)
    t = math.sqrt(-2 * math.log(p))
    x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(3):
        step = (normal_cdf(x) - p) * math.sqrt(2 * math.pi) * math.exp(x * x / 2)
        x -= step / (1 + x * step / 2)
    return x


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation; it needs about sqrt(max(a, b)) steps."""
    numerator, denominator = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    value = denominator
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            denominator = 1.0 / _away(1 + term * denominator)
            numerator = _away(1 + term / numerator)
            value *= denominator * numerator
        if abs(denominator * numerator - 1) < _EPSILON:
            break
    return value


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with ``beta_cdf(x, a, b) == p``, by bisection."""
    _check_share("p", p)
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
        if high - low <= _EPSILON * high:
            break
    return (low + high) / 2


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_cdf(1 - p, n - k, k + 1)


def t_cdf(x: float, df: float) -> float:
    tail = 0.5 * beta_cdf(df / (df + x * x), df / 2, 0.5)
    return tail if x < 0 else 1 - tail


def t_quantile(p: float, df: float) -> float:
    _check_share("p", p, inside=True)
    if p > 0.5:
        return -t_quantile(1 - p, df)
    x = beta_quantile(2 * p, df / 2, 0.5)
    return -math.sqrt(max(0.0, df * (1 - x) / x))


def chi_square_tail(x: float, df: float) -> float:
    """P(X >= x): the regularised upper incomplete gamma function Q(df/2, x/2) (DLMF 8.11.4, 8.9.2)."""
    a, y = df / 2, x / 2
    if y <= 0:
        return 1.0
    front = math.exp(a * math.log(y) - y - math.lgamma(a))
    if y < a + 1:
        term = total = 1 / a
        k = a
        while term > total * _EPSILON:
            k += 1
            term *= y / k
            total += term
        return 1 - front * total
    offset = y + 1 - a
    numerator, denominator = 1 / _TINY, 1 / offset
    value = denominator
    for i in range(1, 100_000):
        term = -i * (i - a)
        offset += 2
        denominator = 1 / _away(term * denominator + offset)
        numerator = _away(offset + term / numerator)
        value *= denominator * numerator
        if abs(denominator * numerator - 1) < _EPSILON:
            break
    return front * value


def _away(value: float) -> float:
    """``value``, or something tiny where it is zero."""
    return value if abs(value) > _TINY else _TINY


def _check_share(name: str, value: float, inside: bool = False) -> None:
    if not (0 < value < 1 if inside else 0 <= value <= 1):
        raise ValueError(
            f"{name} is {value!r}; it has to be {'between' if inside else 'from'} 0 {'and' if inside else 'to'} 1"
        )
