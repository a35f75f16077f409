"""What a token says, and what that is worth: its time, its audience, its tenant, user, role and models.

Everything here is decided by the token's text, its issuer's configuration and the time. Signatures are checked
elsewhere (`jwt`); nothing here may be believed before that. What is missing or of the wrong type is refused, never
guessed, and no refusal repeats the token's words.
"""

import json
from typing import Any

import msgspec
from joserfc.util import urlsafe_b64decode

from ..errors import Forbidden, Unauthenticated
from ..jwt_settings import JwtIssuerSettings
from .key import TENANT_ID, Key, Role

_FAR_S = 1e12
_MAX_USER_CHARS = 256
_MAX_MODEL_CHARS = 200
_RANKS: tuple[Role, ...] = ("caller", "viewer", "editor", "admin")


class TokenIdentity(msgspec.Struct, frozen=True):
    """Whose token it is: a key that exists nowhere else, with the token's powers, and the user it was given to."""

    key: Key
    user: str


def refusal(reason: str, *, retry_after_s: float | None = None) -> Unauthenticated:
    return Unauthenticated(f"the token is not accepted: {reason}", retry_after_s=retry_after_s)


def read_part(segment: str) -> dict[str, Any]:
    """The JSON object in a part of a token. A name that stands twice is refused: two readers could take it for two
    different things."""
    try:
        text = urlsafe_b64decode(segment.encode("ascii")).decode("utf-8")
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise refusal("it is not a JSON Web Token, or was not copied whole") from exc
    if not isinstance(value, dict):
        raise refusal("it is not a JSON Web Token, or was not copied whole")
    return value


def identity_of(claims: dict[str, Any], issuer: JwtIssuerSettings, now_s: float) -> TokenIdentity:
    """What the claims of a genuine token mean; `Unauthenticated` or `Forbidden` for one that is not for us, not for
    now, or good for nothing."""
    expires_at_s = _check_times(claims, issuer.leeway_seconds, now_s)
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise refusal("its audience ('aud') is another than the one that its issuer has here")
    tenant = issuer.tenant if issuer.tenant is not None else claims.get(issuer.tenant_claim)
    if not isinstance(tenant, str) or not TENANT_ID.fullmatch(tenant):
        raise refusal(f"its claim {issuer.tenant_claim!r} does not hold the id of a tenant")
    user = claims.get(issuer.user_claim)
    if not isinstance(user, str) or not 0 < len(user) <= _MAX_USER_CHARS or not user.isprintable():
        raise refusal(f"its claim {issuer.user_claim!r} does not hold a user")
    role = _role(claims, issuer)
    key = Key(
        id=f"jwt:{issuer.name}",
        tenant=tenant,
        name=issuer.name,
        role=role,
        digest=b"",
        created_at_s=now_s,
        models=_models(claims, issuer, role),
        expires_at_s=expires_at_s,
    )
    return TokenIdentity(key, user)


def _check_times(claims: dict[str, Any], leeway_s: float, now_s: float) -> float:
    """``exp``, after all three times were looked at."""
    expires_at_s = _time(claims, "exp")
    if expires_at_s is None:
        raise refusal("it has no expiry ('exp')")
    if now_s >= expires_at_s + leeway_s:
        raise refusal("it has expired; get a new one")
    for name in ("nbf", "iat"):
        begins_at_s = _time(claims, name)
        if begins_at_s is not None and now_s < begins_at_s - leeway_s:
            raise refusal(f"it is not valid yet ({name!r}); do the issuer's clock and the gateway's agree?")
    return expires_at_s


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    # The bounds keep infinities and numbers out that no float can hold.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_FAR_S < value < _FAR_S:
        raise refusal(f"its claim {name!r} is not a time in seconds")
    return float(value)


def _role(claims: dict[str, Any], issuer: JwtIssuerSettings) -> Role:
    """The highest role that a scope gives: tokens are for one purpose, and what administers makes no calls."""
    held = _words(claims.get(issuer.scope_claim))
    roles = [role for scope, role in issuer.roles.items() if scope in held]
    if not roles:
        raise Forbidden(
            f"the token may do nothing here: its claim {issuer.scope_claim!r} has none of the scopes "
            f"{', '.join(issuer.roles)}"
        )
    return max(roles, key=_RANKS.index)


def _models(claims: dict[str, Any], issuer: JwtIssuerSettings, role: Role) -> tuple[str, ...]:
    """The models that a token is restricted to; empty means all, so nothing that is empty may come from a token."""
    if issuer.models_claim is None:
        return ()
    models = tuple(_words(claims.get(issuer.models_claim)))
    if all(len(model) <= _MAX_MODEL_CHARS and model.isprintable() for model in models):
        if models:
            return models
        if role != "caller" and issuer.models_claim not in claims:
            return ()
    raise Forbidden(f"the token's claim {issuer.models_claim!r} does not hold the names of models that it may use")


def _words(value: Any) -> list[str]:
    """A list of texts as it is, the words of a text; nothing for anything else."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
        return value
    return []


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
