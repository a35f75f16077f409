"""What the configuration says about one issuer of tokens (`auth.jwt`): who signs, for whom, and what a token may do.

Only signatures that a public key checks are allowed: with a shared secret, whoever can check a token can make one. An
issuer's keys come from exactly one place, and its address is encrypted unless it is this machine.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

AlgorithmName = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
RoleName = Literal["caller", "viewer", "editor", "admin"]
_TENANT = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_SOURCES = ("jwks_url", "jwks_file", "public_key_file")


class JwtIssuerSettings(BaseModel):
    """Who signs tokens, and what they are worth here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="Unique; the log's `key_id` is `jwt:<name>`.")
    issuer: str = Field(min_length=1, max_length=500, description="The claim `iss`, exactly.")
    audience: str = Field(
        min_length=1, max_length=500, description="The claim `aud`, or one of its values where it is a list, exactly."
    )
    algorithms: list[AlgorithmName] = Field(
        ["RS256"], min_length=1, description="What its tokens may be signed with; no other is accepted."
    )
    jwks_url: str | None = Field(None, description="Where it publishes its keys; https, or http on this machine.")
    jwks_file: Path | None = Field(None, description="Instead: a file with its keys (JWKS).")
    public_key_file: Path | None = Field(None, description="Instead: a file with its one public key (PEM).")
    refresh_seconds: float = Field(600.0, ge=30, le=86_400, description="How often its keys are read anew.")
    leeway_seconds: float = Field(30.0, ge=0, le=300, description="How far its clock and ours may differ.")
    tenant_claim: str = Field(
        "tenant", min_length=1, max_length=200, description="The claim that holds the tenant's id."
    )
    tenant: str | None = Field(None, pattern=_TENANT, description="Instead: one tenant for all its tokens.")
    user_claim: str = Field("sub", min_length=1, max_length=200, description="The claim that holds the user.")
    scope_claim: str = Field(
        "scope", min_length=1, max_length=200, description="The claim that holds the scopes: a list, or one text."
    )
    roles: dict[str, RoleName] = Field(
        {"llmops:call": "caller", "llmops:viewer": "viewer", "llmops:editor": "editor", "llmops:admin": "admin"},
        min_length=1,
        description="The role that each scope gives. The highest counts; a token without any is refused.",
    )
    models_claim: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The claim that lists the models a token may use; without it, a token for calls is then refused.",
    )

    @property
    def gives_admin(self) -> bool:
        return "admin" in self.roles.values()

    @field_validator("algorithms", mode="before")
    @classmethod
    def _asymmetric(cls, value: Any) -> Any:
        for name in value if isinstance(value, list) else []:
            if isinstance(name, str) and name.lower() == "none":
                raise ValueError("'none' is no signature: anybody could make such a token")
            if isinstance(name, str) and name.upper().startswith("HS"):
                raise ValueError(
                    f"{name!r} signs with a shared secret, so whoever can check a token can make one, and a public "
                    "key could be taken for the secret; use RS256, ES256 or EdDSA"
                )
        return value

    @field_validator("jwks_url")
    @classmethod
    def _trustworthy(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("holds a character that cannot stand in a URL; percent-encode it")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an https:// URL")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("must carry no credentials and no fragment")
        _ = parts.port  # raises ValueError for one that is none
        if parts.scheme == "http" and not _is_this_machine(parts.hostname):
            raise ValueError(
                "must be https: whoever can change what travels in the clear could put in a key of his own (http is "
                "accepted for this machine only)"
            )
        return value

    @field_validator("roles")
    @classmethod
    def _sound_scopes(cls, value: dict[str, RoleName]) -> dict[str, RoleName]:
        for scope in value:
            if not re.fullmatch(r"[\x21-\x7e]{1,200}", scope):
                raise ValueError(f"{scope!r} is not a scope: 1 to 200 characters of ASCII without spaces")
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> "JwtIssuerSettings":
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(_SOURCES)}" + (f", not {' and '.join(given)}" if given else ""))
        if self.tenant is not None and "tenant_claim" in self.model_fields_set:
            raise ValueError("give tenant or tenant_claim, not both")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
