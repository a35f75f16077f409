"""Whose things a caller works with: its tenant's; an administrator names the tenant, or means its own key's."""

from ...errors import Forbidden
from ...identity.key import DEFAULT_TENANT
from ..access import Caller


def tenant_of(caller: Caller, asked: str | None) -> str:
    """`Forbidden` where another tenant is asked for."""
    if asked is not None and caller.tenant not in (None, asked):
        raise Forbidden("what is another tenant's is for an administrator", param="tenant")
    own = caller.tenant or (caller.key.tenant if caller.key is not None else DEFAULT_TENANT)
    return asked or own


def name_of(caller: Caller) -> str:
    """Who it was, for the record."""
    return caller.key.shown if caller.key is not None else "somebody on this machine"
