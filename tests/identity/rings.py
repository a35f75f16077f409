"""A keyring with keys in it, without a database: what the tests of judging credentials share."""

from typing import Any

from llmops.clock import ManualClock
from llmops.identity.key import Key, Role, Tenant
from llmops.identity.keyring import Keyring
from llmops.identity.secret import Credential, Digester, mint

PEPPER = b"p" * 32
NOW_S = ManualClock().now_s()
TENANTS = [Tenant(id="default", name="D", created_at_s=0), Tenant(id="off", name="O", created_at_s=0, disabled=True)]


def a_key(role: Role = "caller", *, tenant: str = "default", **fields: Any) -> tuple[Key, Credential]:
    credential = mint()
    key = Key(
        id=credential.public_id,
        tenant=tenant,
        name="a key",
        role=role,
        digest=Digester(PEPPER).digest(credential.secret),
        created_at_s=NOW_S,
        **fields,
    )
    return key, credential


def ring_of(*keys: Key) -> Keyring:
    ring = Keyring(PEPPER)
    ring.replace(keys, TENANTS)
    return ring
