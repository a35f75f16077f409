"""Stamping: the configured ``prompt_version`` on every call, and so on every record."""

from collections.abc import Awaitable

from ..types import Call, Handler, Policy, Reply


def stamping(prompt_version: str | None) -> Policy:
    """Set ``call.prompt_version``; without one configured the pipeline is left as it is."""

    def policy(handle: Handler) -> Handler:
        if prompt_version is None:
            return handle

        def stamped(call: Call) -> Awaitable[Reply]:
            call.prompt_version = prompt_version
            return handle(call)

        return stamped

    return policy
