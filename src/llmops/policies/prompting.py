"""Prompts of the registry: a request that names one gets its messages, model and parameters, and is stamped with it.

A call without a prompt passes at the cost of one look at its view. What is asked for is in memory as a rule; what is
not is read once. ``call.prompt_version`` becomes ``name@number``, and the reply says it too (``x-llmops-prompt``), with
what was asked for where a fallback had to do.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from ..dialects.dialect import ClientDialect
from ..errors import InvalidRequest
from ..prompts.hot import Hot
from ..prompts.placing import place
from ..prompts.prompt import Selector, checked_name, selector_of
from ..prompts.render import Caps, Rendered
from ..types import Call, Handler, Operation, Policy, PromptWish, Reply

HEADER = b"x-llmops-prompt"


class Prompts(Protocol):
    """Finds versions ready to be rendered: at once (None: not at once), or by reading them; renders those that take a
    while."""

    def find(self, tenant: str, name: str, selector: Selector, fallback: Selector | None) -> Hot | None: ...
    async def read(self, tenant: str, name: str, selector: Selector, fallback: Selector | None) -> Hot: ...
    async def render_slowly(self, tenant: str, hot: Hot, variables: Mapping[str, Any], caps: Caps) -> Rendered: ...


def prompting(
    prompts: Prompts,
    dialects: Mapping[Operation, ClientDialect],
    default: Selector,
    fallback: Selector | None,
    caps: Caps,
) -> Policy:
    """Put the prompt that a call names into its body. `NotFound` where it is not there, nor its ``fallback``;
    `InvalidRequest` for variables that do not fit."""

    def policy(handle: Handler) -> Handler:
        def prompted(call: Call) -> Awaitable[Reply]:
            wish = call.view.prompt
            return handle(call) if wish is None else with_prompt(call, wish)

        async def with_prompt(call: Call, wish: PromptWish) -> Reply:
            hot = await found(call.tenant, wish)
            config = hot.version.resolved.config
            model = call.view.model or config.get("model")
            if not model:
                raise InvalidRequest(
                    f"no model: neither the request nor the prompt {hot.version.shown} names one", param="model"
                )
            if call.check_model is not None:
                call.check_model(model)
                call.check_model = None
            rendered = (
                hot.compiled.render(wish.variables, caps)
                if hot.compiled.is_quick
                else await prompts.render_slowly(call.tenant, hot, wish.variables, caps)
            )
            body = place(call.operation, call.body, rendered, config)
            view = dialects[call.operation].view(body)
            view.user = call.view.user  # which a header or a token may have said
            call.body, call.view, call.prompt_version = body, view, hot.version.shown
            call.named_prompt = hot.version.shown
            reply = await handle(call)
            reply.headers = [*reply.headers, (HEADER, told(hot))]
            return reply

        return prompted

    async def found(tenant: str, wish: PromptWish) -> Hot:
        name = checked_name(wish.name)
        selector = default if wish.which is None else selector_of(wish.which)
        instead = fallback if wish.fallback is None else selector_of(wish.fallback)
        return prompts.find(tenant, name, selector, instead) or await prompts.read(tenant, name, selector, instead)

    return policy


def told(hot: Hot) -> bytes:
    missed = f"; fallback-for={hot.fallback_for}" if hot.fallback_for is not None else ""
    return f"{hot.version.shown}{missed}".encode("latin-1", "replace")
