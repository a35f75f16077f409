"""Structured output: where a call demands JSON, its answer is checked and the verdict recorded as ``json_valid``.

With repair attempts configured, an answer that does not comply is asked for again, up to that many times, and the last
one is handed over as it is. A stream is checked when it ends and cannot be repaired: its words are already out.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Self

import jsonschema_rs
import msgspec

from ..errors import InvalidRequest
from ..tokens import estimate_prompt, estimate_tokens
from ..types import Call, Handler, OutputContract, Policy, Reply, ReplyStream, Usage

_MAX_VALIDATORS = 256
Check = Callable[[str], bool]


def structured_output(repair_attempts: int = 0) -> Policy:
    """Check answers against the call's output contract; repeat a non-compliant call up to ``repair_attempts`` times."""
    checks = _Checks()

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
                        reply.outcome.usage = _sum([*spent, _used(call, reply)])
                    return reply
                spent.append(_used(call, reply))
                call.spent = _sum(spent)

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


def _sum(usages: list[Usage]) -> Usage:
    """What all attempts used together: each was paid for."""
    return Usage(
        prompt=sum(usage.prompt for usage in usages),
        completion=sum(usage.completion for usage in usages),
        cached=sum(usage.cached for usage in usages),
        cache_write=sum(usage.cache_write for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        prompt_audio=sum(usage.prompt_audio for usage in usages),
        cached_audio=sum(usage.cached_audio for usage in usages),
        completion_audio=sum(usage.completion_audio for usage in usages),
        cache_write_1h=sum(usage.cache_write_1h for usage in usages),
        source="estimated" if any(usage.source == "estimated" for usage in usages) else "provider",
    )


class _Checks:
    """Compiled checks by contract, the most recently used kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes | None, Check] = OrderedDict()

    def of(self, contract: OutputContract) -> Check:
        check = self._kept.get(contract.schema)
        if check is None:
            check = _compile(contract)
            self._kept[contract.schema] = check
            if len(self._kept) > _MAX_VALIDATORS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(contract.schema)
        return check


def _compile(contract: OutputContract) -> Check:
    if contract.schema is None:
        return _is_json_object
    try:
        # A schema is the caller's text: it may not make the gateway fetch anything, nor match in exponential time.
        validator = jsonschema_rs.validator_for(
            msgspec.json.decode(contract.schema), retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as exc:
        raise InvalidRequest(
            f"the JSON schema of the requested output is not usable: {exc}", param="response_format"
        ) from exc

    def check(text: str) -> bool:
        try:
            return bool(validator.is_valid(msgspec.json.decode(text)))
        except (msgspec.DecodeError, RecursionError):
            return False

    return check


def _refuse(uri: str) -> None:
    raise ValueError(f"it refers to {uri!r}, and references to other documents are not followed")


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


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
