"""Whose texts are kept: what is written and answered in a share of a tenant's traces goes into the request log.

Decided by the trace's id, so that of one trace all calls are kept or none, whichever process they go through.
Redaction is the log's work, before anything is written.
"""

from collections.abc import Awaitable, Callable

from ..types import Call, Handler, Policy, Reply

_DIGITS = 8


def capture(share_of: Callable[[str], float]) -> Policy:
    """Set ``call.capture`` and ``call.keep_text`` for the share of its tenant."""

    def policy(handle: Handler) -> Handler:
        def captured(call: Call) -> Awaitable[Reply]:
            share = share_of(call.tenant)
            if share > 0 and int(call.trace_id[-_DIGITS:], 16) < share * 16**_DIGITS:
                call.capture = call.keep_text = True
            return handle(call)

        return captured

    return policy
