"""An issuer's keys: what is taken of a set, how they are followed over time, and what a source in trouble changes."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from llmops.clock import ManualClock
from llmops.errors import ConfigError, Unauthenticated
from llmops.identity.issuer_keys import MIN_INTERVAL_S, IssuerKeys
from llmops.identity.jwks import KeySet, UnusableKeys, read_jwks, read_pem
from llmops.identity.jwks_source import LIMIT_BYTES
from llmops.identity.jwt import load_sources
from tests.identity.rings import NOW_S
from tests.identity.tokens import CLAIMS, JwksServer, Signer, a_signer, a_source, a_verifier, an_issuer, unsigned

SIGNER = a_signer()


def a_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


# --- what is taken of a set -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        OctKey.generate_key(256).as_dict(private=True),
        {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "!!", "e": "AQAB"},
        {"kty": "RSA", "n": "AQAB"},
        {"kty": ["RSA"]},
        {"kid": "k"},
        "text",
        None,
        SIGNER.public(use="enc"),
        SIGNER.public(key_ops=["sign"]),
        SIGNER.public(key_ops="verifying"),
        SIGNER.public(kid=7),
    ],
)
def test_what_checks_no_signatures_is_left_out(key: Any) -> None:
    with pytest.raises(UnusableKeys, match="holds no public key for signatures"):
        read_jwks(a_set(key))
    assert read_jwks(a_set(key, SIGNER.public())).count == 1


def test_weak_and_monstrous_rsa_keys_are_left_out() -> None:
    for bits in (512, 1024, 2040, 9000):
        modulus = (1 << (bits - 1)) + 1
        data = {"kty": "RSA", "kid": "k", "e": "AQAB", "n": _number(modulus)}
        with pytest.raises(UnusableKeys):
            read_jwks(a_set(data))


def _number(value: int) -> str:
    from joserfc.util import int_to_base64

    return int_to_base64(value)


def test_of_a_private_key_only_the_public_half_is_taken() -> None:
    for signer in (SIGNER, Signer("k1", "RS256"), Signer("k1", "EdDSA")):
        found = read_jwks(a_set(signer.private())).find("k1", signer.key.key_type)
        assert found is not None and not found.is_private


def test_a_key_is_found_by_name_and_type() -> None:
    ec, rsa, second = SIGNER.public(kid="k"), Signer("k", "RS256").public(), Signer("k").public()
    found = read_jwks(a_set(ec, rsa, second))
    assert found.find("k", "EC") == ECKey.import_key(ec), "of two with one name and type, the first"
    assert found.find("k", "RSA") == RSAKey.import_key(rsa)
    for name, kind in (("k", "OKP"), ("K", "EC"), ("", "EC"), (None, "EC")):
        assert found.find(name, kind) is None
    assert KeySet().find("k", "EC") is None and KeySet().find(None, "EC") is None


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 9999])
def test_what_is_not_a_set_is_refused(raw: bytes) -> None:
    with pytest.raises(UnusableKeys):
        read_jwks(raw)


def test_a_set_has_a_bounded_number_of_keys() -> None:
    assert read_jwks(a_set(*[SIGNER.public(kid=str(number)) for number in range(100)])).count == 100
    with pytest.raises(UnusableKeys, match="at most 100"):
        read_jwks(a_set(*[SIGNER.public(kid=str(number)) for number in range(101)]))


def test_a_pem_file_holds_one_public_key() -> None:
    for alg in ("RS256", "ES256", "EdDSA"):
        signer = Signer("k", alg)
        assert read_pem(signer.key.as_pem(private=False)).find("any", signer.key.key_type) is not None
    for raw, reason in (
        (SIGNER.key.as_pem(private=True), "holds a private key"),
        (b"ssh-ed25519 AAAA", "is not a PEM file"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is not a public key"),
        (b"", "is not a PEM file"),
    ):
        with pytest.raises(UnusableKeys, match=reason):
            read_pem(raw)


def test_a_file_of_no_use_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    bad, large = tmp_path / "bad.json", tmp_path / "large.json"
    bad.write_text("{")
    large.write_bytes(b" " * (LIMIT_BYTES + 1))
    issuers = [
        an_issuer(name=f"i{number}", jwks_file=file) for number, file in enumerate((bad, large, tmp_path / "missing"))
    ]
    with pytest.raises(ConfigError) as caught:
        load_sources(issuers, ManualClock())
    found = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3 and "the keys of the issuer 'i0'" in found
    for reason in ("bad.json is not a JWKS", "large.json is larger than", "missing cannot be read: No such file"):
        assert reason in found


# --- over time --------------------------------------------------------------------------------------------------


async def test_a_new_key_works_after_a_refresh_and_a_removed_one_no_more() -> None:
    old, new, clock = Signer("old"), Signer("new"), ManualClock()
    async with JwksServer(old) as server:
        source = await a_source(server, clock)
        tokens, _ = a_verifier(source)
        before, after = old.sign(), new.sign()
        assert tokens.identify(before, NOW_S)
        with pytest.raises(Unauthenticated) as caught:
            tokens.identify(after, NOW_S)
        assert caught.value.retry_after_s == 1 and "try again in a moment" in caught.value.message
        server.publish(old, new)
        await source.refresh()
        assert tokens.identify(before, NOW_S) and tokens.identify(after, NOW_S)
        server.publish(new)
        await source.refresh()
        assert tokens.identify(after, NOW_S)
        with pytest.raises(Unauthenticated, match="not among its issuer's keys"):
            tokens.identify(before, NOW_S)  # though it was remembered


async def test_a_changed_key_under_an_old_name_ends_what_was_signed_before() -> None:
    one, two = Signer("k"), Signer("k")
    async with JwksServer(one) as server:
        source = await a_source(server)
        tokens, _ = a_verifier(source)
        assert tokens.identify(one.sign(), NOW_S)
        server.publish(two)
        await source.refresh()
        with pytest.raises(Unauthenticated, match="signature"):
            tokens.identify(one.sign(), NOW_S)
        assert tokens.identify(two.sign(), NOW_S)


async def test_the_same_answer_again_changes_nothing() -> None:
    async with JwksServer(SIGNER) as server:
        source = await a_source(server)
        before = source.current
        await source.refresh()
        assert source.current is before and server.fetches == 2
        assert server.asked[0].startswith(b"GET /keys?p=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port)


async def test_a_token_with_an_unknown_key_has_the_keys_read_and_a_storm_of_them_once() -> None:
    """The second reading comes when `MIN_INTERVAL_S` has passed, and again it is one."""
    clock = ManualClock()
    async with JwksServer(SIGNER) as server:
        source = IssuerKeys(an_issuer(jwks_url=server.url), clock)
        tokens, _ = a_verifier(source)
        await source.start()
        try:
            for round_number in (1, 2):
                for number in range(500):
                    with pytest.raises(Unauthenticated):
                        tokens.identify(unsigned({"alg": "ES256", "kid": f"k-{number}"}, CLAIMS, "AA"), NOW_S)
                await asyncio.to_thread(_ask_often, source)
                await asyncio.sleep(0.05)
                assert server.fetches == round_number
                clock.advance(MIN_INTERVAL_S)
            new = Signer("new")
            server.publish(new)
            for _ in range(500):
                with pytest.raises(Unauthenticated):
                    tokens.identify(new.sign(), NOW_S)
            while source.current.find("new", "EC") is None:
                await asyncio.sleep(0.001)
            assert tokens.identify(new.sign(), NOW_S) and server.fetches == 3
        finally:
            await source.aclose()


def _ask_often(source: IssuerKeys) -> None:
    for _ in range(500):
        source.ask()


async def test_tokens_of_no_issuer_or_algorithm_of_ours_have_nothing_read() -> None:
    clock = ManualClock()
    async with JwksServer(SIGNER) as server:
        source = IssuerKeys(an_issuer(jwks_url=server.url), clock)
        tokens, _ = a_verifier(source)
        await source.start()
        clock.advance(1000)
        for header, claims in (
            ({"alg": "RS256", "kid": "x"}, CLAIMS),
            ({"alg": "none", "kid": "x"}, CLAIMS),
            ({"alg": "ES256", "kid": "x"}, {**CLAIMS, "iss": "https://else.example"}),
        ):
            with pytest.raises(Unauthenticated):
                tokens.identify(unsigned(header, claims, "AA"), NOW_S)
        await asyncio.sleep(0.02)
        await source.aclose()
        assert server.fetches == 1


# --- a source in trouble ----------------------------------------------------------------------------------------


async def test_a_source_that_fails_leaves_the_last_good_keys_in_force(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with JwksServer(SIGNER) as server:
        source = await a_source(server)
        tokens, _ = a_verifier(source)
        good = server.body
        for status, headers, body, reason in (
            ("500 Oops", "", b"no", "answered with status 500"),
            ("302 Found", "Location: http://127.0.0.1:1/keys\r\n", b"", "redirects are not followed"),
            ("200 OK", "", b"<html>", "is not a JWKS document"),
            ("200 OK", "", b'{"keys": []}', "holds no public key"),
            ("200 OK", "", b" " * (LIMIT_BYTES + 1), "larger than"),
            ("200 OK", "Content-Encoding: br\r\n", good, "content-encoding"),
            ("200 OK", "Content-Encoding: gzip\r\n", good, "damaged"),
        ):
            server.status, server.headers, server.body = status, headers, body
            await source.refresh()
            assert source.failing is not None and reason in source.failing, source.failing
            assert server.url in source.failing
            assert tokens.problems() == [f"the keys of the token issuer corp cannot be read: {source.failing}"]
            assert tokens.identify(SIGNER.sign(), NOW_S)
        server.status, server.headers, server.body = "200 OK", "", good
        await source.refresh()
        assert source.failing is None and tokens.problems() == []
    words = [record.getMessage() for record in caplog.records]
    assert len([each for each in words if "the last known ones stay in force" in each]) == 1
    assert words[-1] == "the keys of the token issuer corp are read again"


async def test_a_server_that_is_not_there_refuses_its_tokens_until_it_is() -> None:
    async with JwksServer(SIGNER) as server:
        pass
    source = await a_source(server)
    tokens, _ = a_verifier(source)
    assert source.failing is not None and "no connection" in source.failing
    with pytest.raises(Unauthenticated, match="not among its issuer's keys"):
        tokens.identify(SIGNER.sign(), NOW_S)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with JwksServer(SIGNER) as server:
        server.silent = True
        begun = asyncio.get_running_loop().time()
        source = await a_source(server)
        assert 4 < asyncio.get_running_loop().time() - begun < 8
        assert source.failing is not None and "127.0.0.1" in source.failing


async def test_a_file_is_followed_like_an_address(tmp_path: Path) -> None:
    file, new = tmp_path / "keys.json", Signer("new")
    file.write_bytes(a_set(SIGNER.public()))
    (source,) = load_sources([an_issuer(jwks_file=file)], ManualClock())
    tokens, _ = a_verifier(source)
    assert tokens.identify(SIGNER.sign(), NOW_S)
    file.write_bytes(a_set(new.public()))
    await source.refresh()
    assert tokens.identify(new.sign(), NOW_S)
    file.unlink()
    await source.refresh()
    assert source.failing is not None and tokens.identify(new.sign(), NOW_S)
