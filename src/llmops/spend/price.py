"""What a call costs: one model's rates, compiled to integers.

Rates may be fractions of a nano-dollar (``0.0375`` USD per million tokens is 37.5 nano-dollars a token), so each price
counts in the largest decimal fraction of a nano-dollar that holds all of its rates exactly. The parts of a call are
summed there and the sum is rounded once, half up. No binary fraction is involved anywhere.

A context tier applies to all tokens of a call whose prompt is longer than the tier's start, not to those above it:
this is how providers bill, and what genai-prices does.

Usage that contradicts itself is never worth a negative amount: parts are charged as reported, the rest is at least 0.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from ..types import Rates, Usage

MAX_COST_NANOUSD = 10**18
"""A billion dollars: what an absurd usage costs at most, so that an amount and a sum of nine fit into 64 bits."""

_PER_TOKEN = Decimal(1000)
"""USD per million tokens → nano-dollars per token."""
_PER_REQUEST = Decimal(10**9)


class Price:
    """The price of one model at one time. Immutable; amounts are whole nano-dollars (1e-9 USD)."""

    __slots__ = ("_base", "_half", "_scale", "_tiers", "base", "tiers")

    def __init__(self, base: Rates, tiers: Mapping[int, Rates] | None = None) -> None:
        """``tiers``: the rates of calls whose prompt has more tokens than the key."""
        self.base = base
        self.tiers = dict(sorted((tiers or {}).items()))
        self._scale: int = 10 ** max(_places(rates) for rates in (base, *self.tiers.values()))
        self._half = self._scale // 2
        self._base = self._compile(base)
        self._tiers = [(start, self._compile(rates)) for start, rates in reversed(self.tiers.items())]

    def cost(self, usage: Usage) -> int:
        """Nano-dollars of one call: ≥ 0, at most `MAX_COST_NANOUSD`."""
        prompt, cached, write, completion = usage.prompt, usage.cached, usage.cache_write, usage.completion
        rates = self._rates(prompt)
        rest = prompt - cached - write
        plain = rest >= 0 and cached >= 0 and write >= 0 and completion >= 0 and rates.reasoning is None
        if plain and not (usage.prompt_audio or usage.completion_audio or usage.cache_write_1h):
            amount = (
                rest * rates.prompt
                + cached * rates.cached
                + write * rates.write
                + completion * rates.completion
                + rates.request
            )
        else:
            amount = _amount(usage, rates)
        return self._rounded(amount)

    def estimate(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Nano-dollars of a call of that size, neither negative, as if it were all text and nothing of it cached."""
        rates = self._rates(prompt_tokens)
        return self._rounded(prompt_tokens * rates.prompt + completion_tokens * rates.completion + rates.request)

    def _rates(self, prompt_tokens: int) -> "_Compiled":
        for start, above in self._tiers:
            if prompt_tokens > start:
                return above
        return self._base

    def _rounded(self, amount: int) -> int:
        nanousd = (amount + self._half) // self._scale
        return nanousd if nanousd <= MAX_COST_NANOUSD else MAX_COST_NANOUSD

    def _compile(self, rates: Rates) -> "_Compiled":
        cached = _or(rates.cached_input, rates.input)
        write = _or(rates.cache_write, rates.input)
        audio = _or(rates.input_audio, rates.input)

        def per_token(rate: Decimal) -> int:
            return _exactly(rate, _PER_TOKEN, self._scale)

        return _Compiled(
            prompt=per_token(rates.input),
            cached=per_token(cached),
            write=per_token(write),
            write_1h=per_token(_or(rates.cache_write_1h, write)),
            audio=per_token(audio),
            cached_audio=per_token(_or(rates.cached_audio, cached if rates.input_audio is None else audio)),
            completion=per_token(rates.output),
            audio_out=per_token(_or(rates.output_audio, rates.output)),
            reasoning=None if rates.reasoning is None else per_token(rates.reasoning),
            request=_exactly(rates.per_request, _PER_REQUEST, self._scale),
        )


class _Compiled(NamedTuple):
    """`Rates` with every default filled in, in the price's fraction of a nano-dollar per token."""

    prompt: int
    cached: int
    write: int
    write_1h: int
    audio: int
    cached_audio: int
    completion: int
    audio_out: int
    reasoning: int | None
    request: int


def _amount(usage: Usage, rates: _Compiled) -> int:
    """The sum before rounding, with audio, caches by lifetime, and usage that does not add up."""
    prompt, completion = max(usage.prompt, 0), max(usage.completion, 0)
    cached, write = max(usage.cached, 0), max(usage.cache_write, 0)
    write_1h = min(max(usage.cache_write_1h, 0), write)
    audio = max(usage.prompt_audio, 0)
    # Who reports audio and cached tokens but not the audio among the cached has at least this much of it.
    overlap = cached + write + audio - prompt
    cached_audio = min(max(usage.cached_audio, overlap, 0), cached, audio)
    audio_out = max(usage.completion_audio, 0)
    reasoning = max(usage.reasoning, 0) if rates.reasoning is not None else 0
    return (
        max(prompt - cached - write - (audio - cached_audio), 0) * rates.prompt
        + (cached - cached_audio) * rates.cached
        + (write - write_1h) * rates.write
        + write_1h * rates.write_1h
        + (audio - cached_audio) * rates.audio
        + cached_audio * rates.cached_audio
        + max(completion - audio_out - reasoning, 0) * rates.completion
        + audio_out * rates.audio_out
        + reasoning * (rates.reasoning or 0)
        + rates.request
    )


def _or(rate: Decimal | None, default: Decimal) -> Decimal:
    return default if rate is None else rate


def _places(rates: Rates) -> int:
    """Decimal places of a nano-dollar that these rates need."""
    per_million = (
        rate
        for rate in (
            rates.input,
            rates.output,
            rates.cached_input,
            rates.cache_write,
            rates.cache_write_1h,
            rates.input_audio,
            rates.cached_audio,
            rates.output_audio,
            rates.reasoning,
        )
        if rate is not None
    )
    return max(0, *(_decimals(rate) - 3 for rate in per_million), _decimals(rates.per_request) - 9)


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or value < 0:
        raise ValueError(f"{value} is not a price")
    return -exponent


def _exactly(value: Decimal, unit: Decimal, scale: int) -> int:
    """``value * unit * scale`` without a decimal context's rounding."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * int(unit) * scale // denominator
