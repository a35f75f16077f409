"""Structured output: where a call demands JSON, its answer is checked and the verdict recorded as ``json_valid``.

With repair attempts configured, an answer that does not comply is asked for again, up to that many times, and the last
one is handed over as it is. A stream is checked when it ends and cannot be repaired: its words are already out.
"""

from collections.abc import Awaitable
from typing import Self

from ..output_checks import Check, OutputChecks
from ..tokens import estimate_prompt, estimate_tokens, total_of
from ..types import Call, Handler, Policy, Reply, ReplyStream, Usage


def structured_output(repair_attempts: int = 0) -> Policy:
    """Check answers against the call's output contract; repeat a non-compliant call up to ``repair_attempts`` times."""
    checks = OutputChecks()

    def policy(handle: Handler) -> Handler:
        def checked(call: Call) -> Awaitable[Reply]:
            if call.view.output is None:
                return handle(call)
            return comply(call, checks.of(call.view.output))

        async def comply(call: Call, check: Check) -> Reply:
            call.keep_text = True
            spent: list[Usage] = []
            while True:  # what is spent is on the call as well, for the case that the next attempt raises
                reply = await handle(call)
                if reply.stream is not None:
                    reply.stream = _CheckedStream(reply.stream, reply, check)
                    return reply
                reply.json_valid = _verdict(reply, check)
                if reply.json_valid is not False or len(spent) >= repair_attempts:
                    if spent:
                        reply.outcome.usage = total_of([*spent, _used(call, reply)])
                    return reply
                spent.append(_used(call, reply))
                call.spent = total_of(spent)

        return checked

    return policy


def _verdict(reply: Reply, check: Check) -> bool | None:
    """None where the answer has no text to judge: a tool call or a refusal."""
    text = reply.outcome.text
    return check(text) if text else None


def _used(call: Call, reply: Reply) -> Usage:
    """The provider's count, or an estimate, with which the others can be summed."""
    if reply.outcome.usage.source != "none":
        return reply.outcome.usage
    completion = estimate_tokens(reply.outcome.output_chars)
    return Usage(prompt=estimate_prompt(call.body), completion=completion, source="estimated")


class _CheckedStream:
    def __init__(self, stream: ReplyStream, reply: Reply, check: Check) -> None:
        self._stream = stream
        self._reply = reply
        self._check = check

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._reply.json_valid = _verdict(self._reply, self._check)
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
