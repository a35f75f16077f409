"""An identity provider for tests: keys to sign with, tokens honest and otherwise, a server for the public halves."""

import asyncio
import json
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64encode

from llmops.clock import ManualClock
from llmops.identity.issuer_keys import IssuerKeys
from llmops.identity.jwt import TokenVerifier
from llmops.identity.key import Tenant
from llmops.identity.keyring import Keyring
from llmops.jwt_settings import JwtIssuerSettings
from tests.identity.rings import NOW_S, PEPPER

ISSUER, AUDIENCE = "https://idp.example/realm", "https://llm.example"
TENANTS = [
    Tenant(id="acme", name="Acme", created_at_s=0),
    Tenant(id="other", name="Other", created_at_s=0),
    Tenant(id="gone", name="Gone", created_at_s=0, disabled=True),
]
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "ada",
    "tenant": "acme",
    "scope": "openid llmops:call",
    "iat": NOW_S,
    "exp": NOW_S + 600,
}
_MODELS = {model.name: model for model in JWS_ALGORITHMS}
_MAKERS: dict[str, Any] = {
    "RS": lambda: RSAKey.generate_key(2048),
    "PS": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "Ed": lambda: OKPKey.generate_key("Ed25519"),
}


class Signer:
    """A key under the name ``kid``, and the algorithm that it signs with."""

    def __init__(self, kid: str | None = "k1", alg: str = "ES256", key: Any = None) -> None:
        self.kid, self.alg = kid, alg
        maker = _MAKERS.get(alg) or _MAKERS[alg[:2]]
        self.key = maker() if key is None else key

    def public(self, **more: Any) -> dict[str, Any]:
        """The public key as a JWKS holds it."""
        named = {"kid": self.kid} if self.kid is not None else {}
        return {**self.key.as_dict(private=False), **named, **more}

    def private(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=True), "kid": self.kid}

    def sign(self, claims: Any = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A token of these claims, or of `CLAIMS` with ``changes`` (None takes one out). What is a text or bytes goes
        into the token as it is."""
        if claims is None:
            claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
        head = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **(header or {})}
        return self.sign_raw({name: value for name, value in head.items() if value is not None}, claims)

    def sign_raw(self, header: Any, claims: Any) -> str:
        signed = b".".join([_part(header), _part(claims)])
        return b".".join([signed, urlsafe_b64encode(_MODELS[self.alg].sign(signed, self.key))]).decode()


def unsigned(header: Any, claims: Any, signature: str = "") -> str:
    return b".".join([_part(header), _part(claims)]).decode() + "." + signature


def _part(value: Any) -> bytes:
    raw = (
        value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    )
    return urlsafe_b64encode(raw)


@lru_cache(maxsize=1)
def a_signer() -> Signer:
    return Signer()


def an_issuer(**fields: Any) -> JwtIssuerSettings:
    given = {"name": "corp", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"], **fields}
    if not {"jwks_url", "jwks_file", "public_key_file"} & set(given):
        given["jwks_url"] = "https://idp.example/keys"
    return JwtIssuerSettings.model_validate(given)


def a_verifier(*sources: IssuerKeys, capacity: int = 100) -> tuple[TokenVerifier, Keyring]:
    ring = Keyring(PEPPER, may_open=False)
    ring.replace([], TENANTS)
    return TokenVerifier(sources, ring, capacity=capacity), ring


class JwksServer:
    """``async with JwksServer(signer) as server``: the keys at ``server.url``, on a free port of this machine."""

    def __init__(self, *signers: Signer) -> None:
        self.publish(*signers)
        self.status = "200 OK"
        self.headers = ""
        self.fetches = 0
        self.silent = False
        self.asked: list[bytes] = []

    def publish(self, *signers: Signer) -> None:
        self.body = json.dumps({"keys": [signer.public() for signer in signers]}).encode()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/keys?p=1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            self.fetches += 1
            if not self.silent:
                writer.write(
                    f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.body)}\r\n{self.headers}\r\n".encode()
                    + self.body
                )
                await writer.drain()
            else:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def a_source(server: JwksServer, clock: ManualClock | None = None, **fields: Any) -> IssuerKeys:
    """An issuer's keys, read once from the server; nothing runs in the background."""
    source = IssuerKeys(an_issuer(jwks_url=server.url, **fields), clock or ManualClock())
    await source.refresh()
    return source
