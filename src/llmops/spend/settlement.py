"""What a call that has ended is charged for, by rule.

- An answer, whole or cut, is charged for what the provider counted, or else for what was seen of it.
- A call that was refused here, that no upstream took, or that the upstream turned down, is charged nothing.
- A call that was sent and of whose fate nothing is known (the caller left, no answer came, the answer was no answer) is
  charged its estimate: the provider may well have done the work.
- An answer from the cache is charged nothing.
- What earlier attempts of the call used is charged, whatever became of the last one.
"""

import msgspec

from ..errors import ClientDisconnected, InternalError, UpstreamBroken, UpstreamTimeout
from ..telemetry.record import FinishedCall, usage_of
from ..types import NO_USAGE, Usage
from .estimate import Estimate

_FATE_UNKNOWN = (ClientDisconnected, UpstreamTimeout, UpstreamBroken, InternalError)


def used(finished: FinishedCall, estimate: Estimate) -> Usage:
    """The usage that the call is charged for."""
    if finished.reply is not None:
        return usage_of(finished, estimate.prompt_tokens)
    spent = finished.call.spent or NO_USAGE
    if finished.call.attempts and isinstance(finished.error, _FATE_UNKNOWN) and estimate.tokens:
        prompt, completion = spent.prompt + estimate.prompt_tokens, spent.completion + estimate.completion_tokens
        return msgspec.structs.replace(spent, prompt=prompt, completion=completion, source="estimated")
    return spent


def as_estimated(prompt_tokens: int, completion_tokens: int) -> Usage:
    """The usage of a call that nobody counted."""
    return Usage(prompt=prompt_tokens, completion=completion_tokens, source="estimated")
