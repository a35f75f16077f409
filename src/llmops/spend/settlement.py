"""What a call that has ended is charged for, by rule.

- An answer, whole or cut, is charged for what the provider counted, or else for what was seen of it.
- A call that was refused here, that no upstream took, or that the upstream turned down, is charged nothing.
- A call that was sent and of whose fate nothing is known (the caller left, no answer came, the answer was no answer) is
  charged its estimate: the provider may well have done the work.
- An attempt of unknown fate that was followed by another is charged the prompt's estimate: if it was billed, that is
  the least it cost, and nobody saw a word of what it wrote.
- An answer from the cache is charged nothing.
- What earlier attempts of the call used is charged, whatever became of the last one.
"""

import msgspec

from ..errors import ClientDisconnected, InternalError, LLMOpsError, UpstreamBroken, UpstreamError, UpstreamTimeout
from ..telemetry.record import FinishedCall, usage_of
from ..tokens import total_of
from ..types import NO_USAGE, Call, Usage
from .estimate import Estimate

_FIRST_REFUSAL = 300


def used(finished: FinishedCall, estimate: Estimate) -> Usage:
    """The usage that the call is charged for."""
    call, prompts, completion = finished.call, 0, 0
    if call.failed:
        prompts = sum(attempt.in_doubt for attempt in call.failed)
    if finished.reply is not None:
        usage = usage_of(finished, estimate.prompt_tokens)
        if call.spent is not None and call.degraded is not None:  # before the last resort, whose outcome lacks it
            usage = total_of([usage, call.spent])
    else:
        usage = call.spent or NO_USAGE
        if _ended_in_doubt(call, finished.error):
            completion = estimate.completion_tokens
            prompts += not _has_failed(call)
    prompt = prompts * estimate.prompt_tokens
    if not prompt and not completion:
        return usage
    return msgspec.structs.replace(
        usage, prompt=usage.prompt + prompt, completion=usage.completion + completion, source="estimated"
    )


def fate_is_unknown(error: LLMOpsError | None) -> bool:
    """Whether the provider may have done the work all the same: it had the request, and has not refused it."""
    if isinstance(error, UpstreamError):
        status = error.upstream_status
        told = status is not None and status >= _FIRST_REFUSAL
        return isinstance(error, UpstreamTimeout | UpstreamBroken) and error.was_sent and not told
    return isinstance(error, ClientDisconnected | InternalError)


def _has_failed(call: Call) -> bool:
    """No attempt was under way when the call ended: its last one has failed, and is among those that did."""
    return bool(call.failed) and call.failed[-1].number == call.attempts


def _ended_in_doubt(call: Call, error: LLMOpsError | None) -> bool:
    """Whether the fate of the call's last attempt is unknown."""
    if _has_failed(call):
        return call.failed[-1].in_doubt
    return call.attempts > 0 and fate_is_unknown(error)


def as_estimated(prompt_tokens: int, completion_tokens: int) -> Usage:
    """The usage of a call that nobody counted."""
    return Usage(prompt=prompt_tokens, completion=completion_tokens, source="estimated")
