"""Releasing: a call for a released name gets its release. Model, parameters, tools and prompt are put into the body,
and the call is stamped with the release, its prompt's version and, where a rollout runs, the arm. A call that a shadow
chose is answered first, and then mirrored if an upstream was asked for it: what the caller's own limits refused and
what the cache or a last resort answered compares nothing.

It stands inside auth, so that keys name the released name and not what is behind it, and around everything that asks
for the model. A name without a release goes its way after one look into a dictionary. Of the body only the top is
decoded, and nothing at all where a release says no more than the model.
"""

from collections.abc import Awaitable, Mapping
from copy import copy
from typing import Any

import msgspec

from ..dialects.dialect import ClientDialect
from ..errors import InvalidRequest, LLMOpsError, UnsupportedParameter
from ..releases.overlay import Overlay, with_messages
from ..releases.table import Released, ReleaseTable
from ..types import UNMIRRORED, Assignment, Call, Handler, Operation, Policy, Reply

_FIELDS: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """``prompt`` of a request for a released name: which prompt it is the release says."""

    variables: dict[str, Any] = {}


def releasing(table: ReleaseTable, dialects: Mapping[Operation, ClientDialect]) -> Policy:
    """Set ``call.release_id``, ``prompt_version``, ``rollout_id``, ``arm``, ``probability`` and ``asked``; put the
    release into ``body`` and ``view``. `UnsupportedParameter` where the call's dialect cannot carry a parameter."""

    def policy(handle: Handler) -> Handler:
        def released(call: Call) -> Awaitable[Reply]:
            name = call.view.model
            stable = table.find(name, call.tenant)
            if stable is None:
                return handle(call)
            found, assignment = table.assigned(name, call, stable)
            if assignment is not None:
                if assignment.mirror is not None:
                    return _mirrored(call, name, found, assignment)
                call.rollout_id, call.arm = assignment.rollout_id, assignment.arm
                call.probability = assignment.probability
            return _laid(call, name, found)

        async def _mirrored(call: Call, name: str, found: Released, assignment: Assignment) -> Reply:
            asked = copy(call)
            try:
                reply = await _laid(call, name, found)
            except LLMOpsError:
                if call.attempts:
                    _mirror(call, asked, name, assignment)
                raise
            if call.attempts and not reply.cached and call.degraded is None:
                _mirror(call, asked, name, assignment)
            return reply

        def _mirror(call: Call, asked: Call, name: str, assignment: Assignment) -> None:
            call.rollout_id, call.arm = assignment.rollout_id, UNMIRRORED
            if table.mirror_of(name, asked, assignment):
                call.arm, call.probability = assignment.arm, assignment.probability

        def _laid(call: Call, name: str, found: Released) -> Awaitable[Reply]:
            bundle = found.bundle
            call.release_id, call.asked = found.id, name
            if bundle.knowledge is not None and call.knowledge is None:
                call.knowledge = bundle.knowledge
            overlay = found.overlay(call.operation)
            if bundle.prompt is not None:
                call.prompt_version = found.prompt_version
                return _with_prompt(call, found, overlay)
            if not overlay:
                call.view.model, call.body_model = bundle.model, name
                return handle(call)
            if overlay.uncarried:
                return _without(call, found, overlay)
            fields = _FIELDS.decode(call.body)
            overlay.lay(fields)
            if overlay.is_seen:
                _put_in(call, bundle.model, fields)
            else:
                fields["model"] = msgspec.Raw(_encode(bundle.model))
                call.body, call.view.model = _encode(fields), bundle.model
            return handle(call)

        async def _without(call: Call, found: Released, overlay: Overlay) -> Reply:
            _check_carried(call, overlay)
            fields = _FIELDS.decode(call.body)
            overlay.lay(fields)
            _put_in(call, found.bundle.model, fields)
            return _noted(await handle(call), call, overlay)

        async def _with_prompt(call: Call, found: Released, overlay: Overlay) -> Reply:
            _check_carried(call, overlay)
            pin = found.bundle.prompt
            assert pin is not None
            if call.named_prompt is not None:
                raise InvalidRequest(
                    f"prompt: {call.asked!r} is a released name, and its release {found.id} has the prompt {pin}: send "
                    f"no prompt beside it, or its `variables` alone, not {call.named_prompt!r}",
                    param="prompt",
                )
            if table.renderer is None:
                raise InvalidRequest(f"the release {found.id} needs the prompt {pin}, and there are no prompts here")
            fields = _FIELDS.decode(call.body)
            variables = _variables(fields)
            messages = await table.renderer.render(call.tenant, pin.name, pin.version, variables)
            with_messages(fields, call.operation, messages)
            overlay.lay(fields)
            _put_in(call, found.bundle.model, fields)
            return _noted(await handle(call), call, overlay)

        def _put_in(call: Call, model: str, fields: dict[str, msgspec.Raw]) -> None:
            fields["model"] = msgspec.Raw(_encode(model))
            call.body = _encode(fields)
            view = dialects[call.operation].view(call.body)
            view.user = call.view.user  # who it is may stand in a header or a token
            call.view = view

        return released

    return policy


def _variables(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """Those that the request gives; the field is ours, so no upstream sees it."""
    given = fields.get("prompt")
    if given is None:
        return {}
    try:
        variables = msgspec.json.decode(given, type=_Given).variables
    except msgspec.ValidationError as exc:
        raise InvalidRequest(
            f"prompt: of a released name it has `variables` alone, for the release says which prompt: {exc}",
            param="prompt",
        ) from exc
    del fields["prompt"]
    return variables


def _check_carried(call: Call, overlay: Overlay) -> None:
    if overlay.uncarried and not call.allow_dropped:
        raise UnsupportedParameter(
            f"the release {call.release_id} sets {', '.join(overlay.uncarried)}, which {call.operation} does not have; "
            "ask by /v1/chat/completions, or send x-llmops-allow-dropped: true",
            param=overlay.uncarried[0],
        )


def _noted(reply: Reply, call: Call, overlay: Overlay) -> Reply:
    call.dropped = [*overlay.uncarried, *call.dropped]
    return reply
