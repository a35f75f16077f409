"""How long answers are: the 95th percentile of output tokens by model, learnt as calls settle.

A reservation that assumes the longest possible answer refuses calls that would have fitted; one that assumes none lets
too many in. Counts are kept in buckets that are a quarter of an octave wide, so an answer is overestimated by at most
a quarter, and halved from time to time, so that the estimate follows a model that changes.
"""

import msgspec

_QUANTILE = 0.95
_ENOUGH = 20
_HALVE_AT = 2000
_RENEW_EVERY = 32


class _Lengths(msgspec.Struct):
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * 128)
    total: int = 0
    seen: int = 0
    estimate: int = 0


class OutputLengths:
    def __init__(self, assumed: int) -> None:
        """``assumed`` tokens are the estimate until a model has answered twenty times."""
        self.assumed = assumed
        self._models: dict[str, _Lengths] = {}

    def estimate(self, model: str) -> int:
        """Output tokens that 95 of 100 answers of this model do not exceed."""
        lengths = self._models.get(model)
        return lengths.estimate if lengths is not None and lengths.seen >= _ENOUGH else self.assumed

    def observe(self, model: str, tokens: int) -> None:
        """Learn from one answer."""
        lengths = self._models.get(model)
        if lengths is None:
            lengths = self._models[model] = _Lengths()
        lengths.counts[_bucket(tokens)] += 1
        lengths.total += 1
        lengths.seen += 1
        if lengths.seen % _RENEW_EVERY == 0 or lengths.seen == _ENOUGH:
            _renew(lengths)


def _bucket(tokens: int) -> int:
    """Four buckets from one power of two to the next; below eight every number has its own."""
    if tokens < 8:
        return max(0, tokens)
    octave = tokens.bit_length() - 3
    return min(127, octave * 4 + (tokens >> octave))


def _upper(bucket: int) -> int:
    """The largest number of tokens in a bucket."""
    if bucket < 8:
        return bucket
    octave = bucket // 4 - 1
    return ((bucket - octave * 4 + 1) << octave) - 1


def _renew(lengths: _Lengths) -> None:
    needed, seen = lengths.total * _QUANTILE, 0
    for bucket, count in enumerate(lengths.counts):
        seen += count
        if seen >= needed:
            lengths.estimate = _upper(bucket)
            break
    if lengths.total >= _HALVE_AT:
        lengths.counts = [count // 2 for count in lengths.counts]
        lengths.total = sum(lengths.counts)
