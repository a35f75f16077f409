"""Authentication and authorisation of calls: whose call it is, and whether its key may make it.

Denies by default as soon as there is a key; while there is none the gateway serves its own machine only, whatever
address it was bound to, and calls belong to the tenant ``default``.
"""

from collections.abc import Awaitable

from ..clock import Clock
from ..identity.keyring import Keyring
from ..types import Call, Handler, Policy, Reply


def auth(keyring: Keyring, clock: Clock) -> Policy:
    """Set ``call.tenant`` and ``call.key_id``, or raise `Unauthenticated` or `Forbidden`."""

    def policy(handle: Handler) -> Handler:
        def authenticated(call: Call) -> Awaitable[Reply]:
            if keyring.open:
                keyring.check_local(call.client_ip)
            else:
                key = keyring.identify(call.credential, clock.now_s())
                call.tenant, call.key_id = key.tenant, key.id
                keyring.check_call(key, call.operation, call.view.model)
            return handle(call)

        return authenticated

    return policy
