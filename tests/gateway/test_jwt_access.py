"""Tokens at the running gateway: whose call it becomes, what the log keeps of it, an issuer that is out of reach."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmops.app import check
from llmops.errors import ConfigError
from llmops.identity.key import Role
from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, MESSAGES, Answer, Gateway
from tests.identity.tokens import AUDIENCE, CLAIMS, ISSUER, JwksServer, Signer, a_signer, unsigned

Build = Callable[..., Settings]
SIGNER = a_signer()


def an_auth(**fields: Any) -> dict[str, Any]:
    return {
        "refresh_seconds": 0.05,
        "jwt": [{"name": "corp", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"], **fields}],
    }


def a_token(signer: Signer = SIGNER, **changes: Any) -> str:
    now_s = time.time()
    return signer.sign(**{"iat": now_s, "exp": now_s + 600, **changes})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make_tenants(settings: Settings, *tenants: str, role: Role | None = None) -> str:
    """Tenants in the settings' database, and a key of that role."""
    identity = open_identity(settings)
    for tenant in tenants:
        identity.registry.create_tenant(tenant)
    made = str(identity.registry.create_key(name="n", role=role, tenant=tenants[0])[1]) if role is not None else ""
    identity.close()
    return made


async def read_log(gateway: Gateway, lines: int) -> tuple[str, list[dict[str, Any]]]:
    """The request log once it has that many lines."""
    async with asyncio.timeout(10):
        while True:
            file = gateway.log_dir / "gateway.jsonl"
            text = file.read_text() if file.exists() else ""
            if text.count("\n") >= lines:
                return text, [json.loads(line) for line in text.splitlines()]
            await asyncio.sleep(0.01)


async def test_a_call_with_a_token_belongs_to_its_tenant_and_user(settings: Build) -> None:
    """Whatever user the body names, and whichever header carries the token."""
    async with JwksServer(SIGNER) as server:
        built = settings(auth=an_auth(jwks_url=server.url))
        make_tenants(built, "acme")
        async with Gateway(built) as gateway:
            token = a_token()
            assert (await gateway.post("/v1/chat/completions", CHAT, bearer(token))).status == 200
            impostor = {**CHAT, "user": "somebody else", "stream": True}
            assert (await gateway.post("/v1/chat/completions", impostor, {"x-api-key": token})).status == 200
            named = {**bearer(token), "x-llmops-user": "somebody else"}
            assert (await gateway.post("/v1/chat/completions", CHAT, named)).status == 200
            impostor = {**MESSAGES, "metadata": {"user_id": "somebody else"}}
            assert (await gateway.post("/v1/messages", impostor, {"x-api-key": token})).status == 200
            _, records = await read_log(gateway, 4)
            assert {(each["tenant"], each["key_id"], each["user"]) for each in records} == {("acme", "jwt:corp", "ada")}
            assert server.fetches == 1


async def test_a_key_beside_tokens_works_as_ever(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        built = settings(auth=an_auth(jwks_url=server.url))
        key = make_tenants(built, "acme", role="caller")
        async with Gateway(built) as gateway:
            assert (await gateway.post("/v1/chat/completions", {**CHAT, "user": "bob"}, bearer(key))).status == 200
            _, records = await read_log(gateway, 1)
            assert (records[0]["user"], records[0]["key_id"]) == ("bob", key.split("-")[1])


async def test_no_door_is_open_where_there_is_an_issuer(settings: Build) -> None:
    """Though there is no key, and the caller is this machine."""
    async with JwksServer(SIGNER) as server, Gateway(settings(auth=an_auth(jwks_url=server.url))) as gateway:
        for path in ("/v1/models", "/metrics", "/api/status", "/api/config"):
            assert (await gateway.get(path)).status == 401, path
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 401
        refused = await gateway.post("/v1/chat/completions", CHAT, bearer(a_token()))
        assert refused.status == 401 and "llmops tenants create" in refused.json()["error"]["message"]
        assert (await gateway.get("/health")).status == 200


async def test_a_tenant_is_known_as_soon_as_it_is_made_and_refused_as_soon_as_it_is_disabled(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        built, token = settings(auth=an_auth(jwks_url=server.url)), a_token()
        identity = open_identity(built)

        async def becomes(gateway: Gateway, status: int) -> Answer:
            async with asyncio.timeout(2):
                while True:
                    answer = await gateway.post("/v1/chat/completions", CHAT, bearer(token))
                    if answer.status == status:
                        return answer

        async with Gateway(built) as gateway:
            assert (await gateway.post("/v1/chat/completions", CHAT, bearer(token))).status == 401
            identity.registry.create_tenant("acme")
            await becomes(gateway, 200)
            identity.registry.set_disabled("acme", True)
            assert "is disabled" in (await becomes(gateway, 401)).json()["error"]["message"]
        identity.close()


async def test_no_word_of_a_token_is_in_the_log_or_an_answer(settings: Build, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forger = Signer("k1")
    tokens = [
        a_token(),
        a_token(exp=time.time() - 600),
        a_token(aud="else"),
        a_token(tenant="stranger"),
        a_token(scope="nothing"),
        a_token(scope="llmops:admin"),
        a_token(forger),
        a_token(Signer("unknown")),
        unsigned({"alg": "none"}, CLAIMS),
        a_token(more="x" * 8000),
        "eyJ" + "garbage" * 10,
    ]
    async with JwksServer(SIGNER) as server:
        built = settings(auth=an_auth(jwks_url=server.url))
        make_tenants(built, "acme")
        async with Gateway(built) as gateway:
            seen = []
            for token in tokens:
                seen.append(await gateway.post("/v1/chat/completions", CHAT, bearer(token)))
                seen.append(await gateway.get("/api/keys", bearer(token)))
            assert [each.status for each in seen[::2]] == [200, 401, 401, 401, 403, 403, 401, 401, 401, 401, 401]
            assert [each.status for each in seen[1::2]] == [403, 401, 401, 401, 403, 200, 401, 401, 401, 401, 401]
            text, records = await read_log(gateway, len(tokens) + 9)
    assert {record["error_type"] for record in records} == {None, "invalid_api_key", "forbidden"}
    everything = "\n".join([text, caplog.text, *(f"{each.headers} {each.body!r}" for each in seen)])
    for token in tokens:
        for part in token.split("."):
            for begin in range(0, max(1, len(part) - 24), 500):
                assert not part or part[begin : begin + 24] not in everything


async def test_a_storm_of_bad_tokens_is_no_storm_of_fetches(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        built = settings(auth=an_auth(jwks_url=server.url))
        make_tenants(built, "acme")
        async with Gateway(built) as gateway:
            for number in range(50):
                token = a_token(Signer(f"unknown-{number}", key=SIGNER.key))
                refused = await gateway.post("/v1/chat/completions", CHAT, bearer(token))
                assert (refused.status, refused.headers["retry-after"]) == (401, "1")
                assert (await gateway.get("/api/keys", bearer(token))).status == 401
            assert (await gateway.post("/v1/chat/completions", CHAT, bearer(a_token()))).status == 200
            assert server.fetches == 1, "the start's"


async def test_an_issuer_that_is_out_of_reach_is_shown_and_keys_go_on(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        pass
    built = settings(auth=an_auth(jwks_url=server.url))
    key = make_tenants(built, "acme", role="caller")
    async with Gateway(built) as gateway:
        health = (await gateway.get("/health")).json()
        assert health["status"] == "degraded"
        assert "the keys of the token issuer corp cannot be read" in health["problems"][0]
        assert (await gateway.post("/v1/chat/completions", CHAT, bearer(key))).status == 200
        assert (await gateway.post("/v1/chat/completions", CHAT, bearer(a_token()))).status == 401


async def test_a_token_sees_the_models_that_it_may_use(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        models = {name: [{"provider": "mock"}] for name in ("gpt-4o", "claude")}
        built = settings(models, auth=an_auth(jwks_url=server.url, models_claim="models"))
        make_tenants(built, "acme")
        async with Gateway(built) as gateway:
            token = bearer(a_token(models=["gpt-*"]))
            assert [each["id"] for each in (await gateway.get("/v1/models", token)).json()["data"]] == ["gpt-4o"]
            refused = await gateway.post("/v1/chat/completions", {**CHAT, "model": "claude"}, token)
            assert (refused.status, refused.json()["error"]["param"]) == (403, "model")
            assert "the token of corp may not use" in refused.json()["error"]["message"]


async def test_an_administrator_by_token_makes_keys_and_tenants(settings: Build) -> None:
    async with JwksServer(SIGNER) as server:
        built = settings(auth=an_auth(jwks_url=server.url))
        make_tenants(built, "acme")
        async with Gateway(built) as gateway:
            admin = bearer(a_token(scope="llmops:admin"))
            assert (await gateway.post("/api/tenants", {"id": "made"}, admin)).status == 201
            made = await gateway.post("/api/keys", {"name": "n", "tenant": "made"}, admin)
            assert (made.status, made.json()["tenant"]) == (201, "made")
            editor = bearer(a_token(scope="llmops:editor"))
            assert (await gateway.post("/api/keys", {"name": "n", "tenant": "made"}, editor)).status == 403
            assert (await gateway.post("/api/keys", {"name": "n", "role": "admin"}, editor)).status == 403
            assert (await gateway.post("/api/keys", {"name": "n"}, editor)).json()["tenant"] == "acme"


def test_an_issuers_file_of_no_use_stops_the_start_and_the_check(settings: Build) -> None:
    built = settings(auth=an_auth(jwks_file="missing.json"))
    for use in (check, Gateway):
        with pytest.raises(ConfigError, match=r"the issuer 'corp': missing\.json cannot be read"):
            use(built)
