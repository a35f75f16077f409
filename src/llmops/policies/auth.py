"""Authentication and authorisation of calls: whose call it is, and whether its key may make it.

Denies by default as soon as there is a key; while there is none the gateway serves its own machine only, whatever
address it was bound to, and calls belong to the tenant ``default``. Where issuers of tokens are configured, what begins
like a token is judged as one, and the call's user is the token's, whatever its body says.
"""

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from ..clock import Clock
from ..identity.key import TOKEN_PREFIX, Key
from ..identity.keyring import Keyring
from ..types import Call, Handler, Policy, Reply

if TYPE_CHECKING:
    from ..identity.jwt import TokenVerifier


def auth(keyring: Keyring, clock: Clock, tokens: "TokenVerifier | None" = None) -> Policy:
    """Set ``call.tenant`` and ``call.key_id`` (a token: and the user) and bound its time by the key's, or raise
    `Unauthenticated` or `Forbidden`."""

    def policy(handle: Handler) -> Handler:
        def authenticated(call: Call) -> Awaitable[Reply]:
            credential = call.credential
            if tokens is not None and credential is not None and credential.startswith(TOKEN_PREFIX):
                holder = tokens.identify(credential, clock.now_s())
                call.tenant, call.key_id, call.view.user = holder.key.tenant, holder.key.id, holder.user
                check(holder.key, call)
            elif keyring.open:
                keyring.check_local(call.client_ip)
            else:
                key = keyring.identify(credential, clock.now_s())
                call.tenant, call.key_id = key.tenant, key.id
                check(key, call)
                limit_s = key.timeout_s
                if limit_s is not None and (call.timeout_s is None or limit_s < call.timeout_s):
                    call.timeout_s = limit_s
            call.authorised_s = clock.monotonic_s()
            return handle(call)

        return authenticated

    def check(key: Key, call: Call) -> None:
        if call.view.model or call.view.prompt is None:
            keyring.check_call(key, call.operation, call.view.model)
        else:
            call.check_model = partial(keyring.check_call, key, call.operation)

    return policy
