"""Last resorts: where all deployments of a model have failed, something lesser answers, and the reply says what.

It stands around the cache, so that another model's answer may be a kept one, and inside the limits: a call is admitted
once, for the model that it asked for, whose limits and budgets go on counting it. What answers is charged by its own
price; a kept answer and a template cost nothing; attempts whose fate is unknown are charged as ever. Nothing happens to
a call whose model has no list, or that says ``x-llmops-degrade: never``.

A refusal is no outage: what the caller got wrong is raised as it is. So is what breaks after the first content.
Another model's vectors mean something else, and a count of tokens is no answer: ``model`` and ``template`` are for
conversations.
"""

from collections.abc import Awaitable, Mapping, Sequence
from copy import copy

import msgspec

from ..caching.cache import Cache
from ..caching.replay import replay
from ..clock import Clock
from ..dialects.conversation import Answer, Choice, Text
from ..dialects.dialect import Dialect, patch_fields
from ..dialects.written import written
from ..errors import DeadlineExceeded, LLMOpsError, UpstreamError
from ..output_checks import OutputChecks
from ..resilience.failure import failure_of
from ..resilience.resort import OtherModel, Resort, Stale, Template
from ..spend.settlement import fate_is_unknown
from ..tokens import total_of
from ..types import NO_WISH, CacheNote, Call, Deployment, FailedAttempt, Handler, Operation, Policy, Reply, Usage

_MAX_CHOICES = 128
_MAX_SHOWN = 200


def last_resorts(
    resorts: Mapping[str, Sequence[Resort]],
    known: Cache | None,
    deployments: Mapping[str, Deployment],
    dialects: Mapping[Operation, Dialect],
    clock: Clock,
    timeout_s: float,
) -> Policy:
    """Set ``call.degraded`` where a last resort answers; raises the first failure, with theirs, where none does.

    ``resorts`` by the model's configured name, which ``call.model`` has to be by now. ``known`` is None where there is
    no cache; ``deployments`` by name tell what a kept answer would have cost. ``timeout_s`` from a call's arrival
    bounds other models as well.
    """
    listed = {model: tuple(each) for model, each in resorts.items() if each}

    def policy(handle: Handler) -> Handler:
        if not listed:
            return handle
        return _LastResorts(handle, listed, known, deployments, dialects, clock, timeout_s).answer

    return policy


class _LastResorts:
    def __init__(
        self,
        handle: Handler,
        listed: Mapping[str, Sequence[Resort]],
        known: Cache | None,
        deployments: Mapping[str, Deployment],
        dialects: Mapping[Operation, Dialect],
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self._handle = handle
        self._listed = listed
        self._known = known
        self._deployments = deployments
        self._dialects = dialects
        self._clock = clock
        self._timeout_s = timeout_s
        self._checks = OutputChecks()

    def answer(self, call: Call) -> Awaitable[Reply]:
        listed = self._listed.get(call.model or "")
        if listed is None or not call.may_degrade:
            return self._handle(call)
        return self._answer(call, listed)

    async def _answer(self, call: Call, listed: Sequence[Resort]) -> Reply:
        try:
            return await self._handle(call)
        except LLMOpsError as raised:
            if not _is_outage(raised):
                raise
            error = raised
        return await self._degrade(call, listed, error)

    async def _degrade(self, call: Call, listed: Sequence[Resort], error: LLMOpsError) -> Reply:
        """The answer of the first last resort that has one."""
        _note_attempt(call, error, self._clock.monotonic_s())
        fingerprint = call.fingerprint
        failed: list[str] = []
        for resort in listed:
            call.dropped = []
            reply: Reply | None = None
            match resort:
                case Stale():
                    reply = await self._stale(call, fingerprint)
                case Template():
                    reply = self._template(call, resort)
                case OtherModel():
                    if call.operation in self._dialects:
                        try:
                            return await self._other(call, resort)
                        except LLMOpsError as raised:
                            failed.append(f"{resort.label}: {raised.message[:_MAX_SHOWN]}")
            if reply is not None:
                call.degraded = resort.label
                _discharge(call)
                return reply
        raise _with_all(error, failed) from error

    async def _stale(self, call: Call, fingerprint: bytes | None) -> Reply | None:
        known, wish = self._known, call.cache or NO_WISH
        if known is None or fingerprint is None or not (wish.reads and wish.writes):
            return None
        found = known.answers.get(fingerprint)
        entry = known.read(found if found is None or isinstance(found, bytes) else await found)
        if entry is None:
            return None
        age_s = max(self._clock.now_s() - entry.stored_s, 0.0)
        if wish.max_age_s is not None and age_s > wish.max_age_s:
            return None
        note = CacheNote(state="stale", age_s=age_s, deployment=self._deployments.get(entry.deployment))
        return replay(entry, call, note, self._clock.monotonic_s())

    async def _other(self, call: Call, resort: OtherModel) -> Reply:
        """The same question to another model. Where that fails, the call is as it was, but for what it has used.

        ``call.view`` keeps the other model's name, by which its price is found.
        """
        view, body, model = call.view, call.body, call.model
        deployment, attempts, failed, spent = call.deployment, call.attempts, call.failed, call.spent
        asked, body_model = call.asked, call.body_model
        call.degraded, call.asked, call.spent = resort.label, asked or view.model, None
        call.view = msgspec.structs.replace(view, model=resort.name)
        call.body, call.body_model = patch_fields(body, {"model": resort.name}), None
        if call.timeout_s is None:
            call.timeout_s = self._timeout_s
        try:
            reply = await self._handle(call)
        except LLMOpsError as error:
            _note_attempt(call, error, self._clock.monotonic_s())
            call.degraded, call.asked, call.view = None, asked, view
            call.body, call.body_model = body, body_model
            call.spent = _together(spent, call.spent)
            raise
        finally:
            call.model = model
        call.spent = spent  # what this one's own attempts have used is in its outcome
        if reply.cached:
            call.deployment, call.attempts, call.failed = deployment, attempts, failed
            _discharge(call)
        return reply

    def _template(self, call: Call, resort: Template) -> Reply | None:
        """None where the caller demands JSON that the text is not."""
        dialect, contract = self._dialects.get(call.operation), call.view.output
        if dialect is None:
            return None
        if contract is not None:
            call.keep_text = True
            if not self._checks.of(contract)(resort.text):
                return None
        choices = min(call.view.choices, _MAX_CHOICES)
        answer = Answer(
            id="",
            model="",
            created_s=0,
            choices=[Choice(index=index, parts=[Text(resort.text)]) for index in range(choices)],
            usage=Usage(),
        )
        reply = written(answer, call, dialect, self._clock.monotonic_s())
        reply.cached = True
        reply.json_valid = True if contract is not None else None
        return reply


def _is_outage(error: LLMOpsError) -> bool:
    """Whether it says something about the upstreams, or about the time that they took, and nothing about the call."""
    if isinstance(error, UpstreamError):
        return failure_of(error).may_repeat_elsewhere
    return isinstance(error, DeadlineExceeded)


def _discharge(call: Call) -> None:
    """Nothing was asked for the answer: the deployment that was tried last stays on the call where it is owed money."""
    if call.spent is None and not any(attempt.in_doubt for attempt in call.failed):
        call.deployment = None


def _note_attempt(call: Call, error: LLMOpsError, now_s: float) -> None:
    """Note the attempt that has just failed, where nobody has: without resilience nobody does, and if its fate is
    unknown it is charged."""
    if call.deployment is None or call.attempts == (call.failed[-1].number if call.failed else 0):
        return
    attempt = FailedAttempt(
        number=call.attempts,
        deployment=call.deployment.name,
        error_type=error.code,
        status=error.upstream_status if isinstance(error, UpstreamError) else None,
        latency_s=now_s - call.started_s,
        in_doubt=fate_is_unknown(error),
        began_s=call.attempted_s or call.started_s,
    )
    call.failed += (attempt,)


def _together(spent: Usage | None, more: Usage | None) -> Usage | None:
    both = [usage for usage in (spent, more) if usage is not None]
    return total_of(both) if both else None


def _with_all(error: LLMOpsError, failed: Sequence[str]) -> LLMOpsError:
    """The first failure, with what the last resorts came to. A copy: others may have been told the same failure."""
    if not failed:
        return error
    told = copy(error)
    told.message = f"{error.message} (last resorts failed as well: {'; '.join(failed)})"
    told.args = (told.message,)
    return told
