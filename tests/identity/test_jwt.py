"""Judging tokens: what is accepted, and every known way to be taken in by one."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.util import urlsafe_b64encode

from llmops.clock import ManualClock
from llmops.errors import Forbidden, Unauthenticated
from llmops.identity.issuer_keys import IssuerKeys
from llmops.identity.jwt import TokenVerifier
from llmops.identity.key import TOKEN_PREFIX
from tests.identity.rings import NOW_S
from tests.identity.tokens import AUDIENCE, CLAIMS, ISSUER, TENANTS, Signer, a_signer, a_verifier, an_issuer, unsigned

SIGNER = a_signer()


def from_file(folder: Path, *signers: Signer, **fields: Any) -> IssuerKeys:
    """An issuer whose keys lie in a file."""
    file = folder / "keys.json"
    file.write_text(json.dumps({"keys": [signer.public() for signer in signers]}))
    source = IssuerKeys(an_issuer(jwks_file=file, **fields), ManualClock())
    source.load_file()
    return source


@pytest.fixture
def tokens(tmp_path: Path) -> TokenVerifier:
    return a_verifier(from_file(tmp_path, SIGNER))[0]


def refused(tokens: TokenVerifier, text: str, now_s: float = NOW_S) -> str:
    """The reason; twice, because a refusal must not be forgotten the second time."""
    for _ in range(2):
        with pytest.raises(Unauthenticated) as caught:
            tokens.identify(text, now_s)
    said = caught.value.message
    assert caught.value.status == 401
    for part in [text, *text.split(".")]:
        assert len(part) < 8 or part not in said
    return said


# --- what is accepted -------------------------------------------------------------------------------------------


def test_a_good_token_is_its_tenant_user_and_role(tokens: TokenVerifier) -> None:
    text = SIGNER.sign()
    assert text.startswith(TOKEN_PREFIX)
    for _ in range(2):  # judged, then remembered
        found = tokens.identify(text, NOW_S)
        assert (found.key.id, found.key.tenant, found.key.role, found.user) == ("jwt:corp", "acme", "caller", "ada")
        assert found.key.models == () and found.key.expires_at_s == CLAIMS["exp"]
        assert found.key.shown == "the token of corp"


@pytest.mark.parametrize(
    "alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
)
def test_every_algorithm_that_can_be_configured_works(
    alg: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    signer = Signer("k", alg)
    tokens, _ = a_verifier(from_file(tmp_path, signer, algorithms=[alg]))
    assert tokens.identify(signer.sign(), NOW_S).user == "ada"
    assert "signature" in refused(tokens, Signer("k", alg).sign())
    assert not recwarn.list


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://else.example", AUDIENCE]},
        {"scope": ["llmops:call"]},
        {"nbf": NOW_S + 29, "iat": NOW_S + 29},
        {"exp": NOW_S - 29},
        {"exp": int(NOW_S) + 0.5},
        {"iat": None},
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
    ],
)
def test_what_the_standard_allows_is_accepted(tokens: TokenVerifier, changes: dict[str, Any]) -> None:
    assert tokens.identify(SIGNER.sign(**changes), NOW_S)


@pytest.mark.parametrize("header", [{"typ": None}, {"typ": "at+jwt"}, {"typ": "jwt"}, {"x5t": "a", "unknown": 1}])
def test_headers_that_mean_nothing_here_are_ignored(tokens: TokenVerifier, header: dict[str, Any]) -> None:
    assert tokens.identify(SIGNER.sign(header=header), NOW_S)


def test_a_token_may_leave_out_the_name_of_the_only_key(tokens: TokenVerifier, tmp_path: Path) -> None:
    text = SIGNER.sign(header={"kid": None})
    assert tokens.identify(text, NOW_S)
    two, _ = a_verifier(from_file(tmp_path, SIGNER, Signer("k2")))
    assert "does not say which" in refused(two, text)


def test_a_pem_file_is_one_key_for_tokens_of_any_name(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(SIGNER.key.as_pem(private=False))
    source = IssuerKeys(an_issuer(public_key_file=file), ManualClock())
    source.load_file()
    tokens, _ = a_verifier(source)
    for kid in ("k1", "whatever", None):
        assert tokens.identify(SIGNER.sign(header={"kid": kid}), NOW_S)
    assert "signature" in refused(tokens, Signer("k1").sign())


# --- forgeries --------------------------------------------------------------------------------------------------


def test_a_token_without_a_signature_is_refused(tokens: TokenVerifier) -> None:
    for name in ("none", "None", "NONE", "nOnE", ""):
        for signature in ("", "AA", SIGNER.sign().split(".")[2]):
            refused(tokens, unsigned({"alg": name, "kid": "k1"}, CLAIMS, signature))
    refused(tokens, unsigned({"kid": "k1"}, CLAIMS, "AA"))
    refused(tokens, unsigned({"alg": ["ES256"], "kid": "k1"}, CLAIMS, "AA"))
    refused(tokens, unsigned({"alg": None, "kid": "k1"}, CLAIMS, "AA"))


def test_a_public_key_is_no_shared_secret(tmp_path: Path) -> None:
    """Algorithm confusion: HS256, with what everybody may know as its secret."""
    for signer, alg in ((SIGNER, "ES256"), (Signer("k1", "RS256"), "RS256")):
        tokens, _ = a_verifier(from_file(tmp_path, signer, algorithms=[alg]))
        pem, jwk = signer.key.as_pem(private=False), json.dumps(signer.public()).encode()
        for secret in (pem, pem.strip(), jwk, signer.key.as_der(private=False), b""):
            for forged, kind in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
                signed = unsigned({"alg": forged, "kid": "k1"}, CLAIMS)
                mac = hmac.digest(secret, signed[:-1].encode(), kind)
                assert "('alg')" in refused(tokens, signed + urlsafe_b64encode(mac).decode())


def test_an_algorithm_that_the_issuer_does_not_use_is_refused_even_with_its_key(tmp_path: Path) -> None:
    rsa = Signer("k1", "RS256")
    tokens, _ = a_verifier(from_file(tmp_path, rsa, algorithms=["RS256"]))
    assert tokens.identify(rsa.sign(), NOW_S)
    assert "('alg')" in refused(tokens, Signer("k1", "PS256", rsa.key).sign())
    mixed, _ = a_verifier(from_file(tmp_path, rsa, algorithms=["RS256", "ES256"]))
    assert "not among its issuer's keys" in refused(mixed, SIGNER.sign()), "ES256 with the name of an RSA key"


def test_a_key_that_says_what_it_is_for_checks_nothing_else(tmp_path: Path) -> None:
    rsa = Signer("k1", "RS256")
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [rsa.public(alg="PS256")]}))
    source = IssuerKeys(an_issuer(jwks_file=file, algorithms=["RS256", "PS256"]), ManualClock())
    source.load_file()
    tokens, _ = a_verifier(source)
    assert tokens.identify(Signer("k1", "PS256", rsa.key).sign(), NOW_S)
    assert "signature" in refused(tokens, rsa.sign())


def test_a_token_brings_no_key_of_its_own(tokens: TokenVerifier) -> None:
    forger = Signer("k1")
    for header in (
        {"jwk": forger.public()},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"jwk": forger.public(), "kid": None},
    ):
        assert "signature" in refused(tokens, forger.sign(header=header))


def test_a_changed_token_does_not_fit_its_signature(tokens: TokenVerifier) -> None:
    head, _, signature = SIGNER.sign().split(".")
    _, claims, _ = SIGNER.sign(tenant="other", scope="llmops:admin").split(".")
    assert tokens.identify(SIGNER.sign(), NOW_S)
    assert "signature" in refused(tokens, f"{head}.{claims}.{signature}")
    assert "signature" in refused(tokens, f"{head}.{claims}.{'A' * 86}")
    assert "signature" in refused(tokens, f"{head}.{claims}.{'A' * 5}")


def test_a_token_is_remembered_as_a_whole(tokens: TokenVerifier) -> None:
    """Not by a prefix, and not with another signature behind it."""
    text = SIGNER.sign()
    assert tokens.identify(text, NOW_S)
    for changed in (text[:-1], text + "A", text[:-4] + "AAAA", text.replace(".", ".A", 1), " " + text, text + "\n"):
        refused(tokens, changed)


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": True}, {"crit": []}, {"b64": False}, {"crit": None}],
)
def test_demands_that_are_not_understood_are_refused(tokens: TokenVerifier, header: dict[str, Any]) -> None:
    text = SIGNER.sign_raw({"alg": "ES256", "kid": "k1", **header}, CLAIMS)
    assert "('crit')" in refused(tokens, text)


def test_tokens_for_another_purpose_are_refused(tokens: TokenVerifier) -> None:
    for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", 7, ""):
        assert "('typ')" in refused(tokens, SIGNER.sign(header={"typ": kind}))


# --- issuer, audience, time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer", [ISSUER[:-1], ISSUER + "/", ISSUER.upper(), "", "https://idp.example", 7, [ISSUER], None]
)
def test_the_issuer_is_compared_as_a_whole(tokens: TokenVerifier, issuer: Any) -> None:
    assert "('iss')" in refused(tokens, SIGNER.sign(iss=issuer))


@pytest.mark.parametrize(
    "audience",
    [
        AUDIENCE[:-1],
        AUDIENCE + "/",
        AUDIENCE + ".evil",
        f"x {AUDIENCE}",
        [AUDIENCE + "x", [AUDIENCE]],
        [],
        {AUDIENCE: 1},
        7,
        None,
    ],
)
def test_the_audience_is_compared_as_a_whole(tokens: TokenVerifier, audience: Any) -> None:
    assert "('aud')" in refused(tokens, SIGNER.sign(aud=audience))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW_S - 30}, "has expired"),
        ({"exp": 0}, "has expired"),
        ({"exp": None}, "no expiry"),
        ({"nbf": NOW_S + 31}, "not valid yet ('nbf')"),
        ({"iat": NOW_S + 31}, "not valid yet ('iat')"),
        ({"exp": "2999-01-01"}, "'exp' is not a time"),
        ({"exp": True}, "'exp' is not a time"),
        ({"exp": [NOW_S + 600]}, "'exp' is not a time"),
        ({"exp": 10**400}, "'exp' is not a time"),
        ({"exp": 10**13}, "'exp' is not a time"),
        ({"nbf": "0"}, "'nbf' is not a time"),
    ],
)
def test_its_time_is_now(tokens: TokenVerifier, changes: dict[str, Any], reason: str) -> None:
    assert reason in refused(tokens, SIGNER.sign(**changes))


def test_numbers_that_are_none_are_refused(tokens: TokenVerifier) -> None:
    plain = json.dumps({**CLAIMS, "exp": 0})
    for number in ("1e999", "NaN", "Infinity", "-Infinity", "null", "9" * 5000):
        refused(tokens, SIGNER.sign(plain.replace('"exp": 0', f'"exp": {number}')))


def test_a_token_is_remembered_no_longer_than_it_lives(tokens: TokenVerifier) -> None:
    text = SIGNER.sign()
    assert tokens.identify(text, CLAIMS["exp"] - 1)
    assert tokens.identify(text, CLAIMS["exp"] + 29), "within the leeway it is judged each time"
    assert "has expired" in refused(tokens, text, CLAIMS["exp"] + 30)


def test_how_far_clocks_may_differ_is_configured(tmp_path: Path) -> None:
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER, leeway_seconds=0))
    assert "has expired" in refused(tokens, SIGNER.sign(exp=NOW_S))
    assert "not valid yet" in refused(tokens, SIGNER.sign(nbf=NOW_S + 1))


# --- garbage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "eyJ",
        "eyJhbGciOiJFUzI1NiJ9",
        "eyJ..",
        "eyJ.eyJ.eyJ",
        "eyJhbGciOiJFUzI1NiJ9.e30.AA==",
        "eyJhbGciOiJFUzI1NiJ9.e30.AA.AA.AA",
        "eyJhbGciOiJFUzI1NiJ9.e30=.AA",
        "eyJhbGciOiJFUzI1NiJ9.e\u00e9.AA",
        "eyJ\x00.e30.AA",
        unsigned("[]", CLAIMS, "AA"),
        unsigned({"alg": "ES256"}, "[]", "AA"),
        unsigned({"alg": "ES256"}, '"text"', "AA"),
        unsigned({"alg": "ES256"}, "", "AA"),
        unsigned({"alg": "ES256"}, b"\xff\xfe{}", "AA"),
        unsigned({"alg": "ES256"}, "[" * 3000, "AA"),
        unsigned({"alg": "ES256"}, '{"a":' * 1000, "AA"),
    ],
)
def test_garbage_is_refused(tokens: TokenVerifier, text: str) -> None:
    refused(tokens, text)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*", fullmatch=True))
def test_whatever_comes_is_refused_or_forbidden_and_nothing_else(text: str) -> None:
    tokens, _ = a_verifier(IssuerKeys(an_issuer(), ManualClock()))
    refused(tokens, TOKEN_PREFIX + text)


def test_a_name_that_stands_twice_is_refused(tokens: TokenVerifier) -> None:
    claims, header = json.dumps(CLAIMS), '{"alg": "ES256", "kid": "k1"}'
    assert tokens.identify(SIGNER.sign_raw(header, claims), NOW_S)
    for name in ("tenant", "iss", "exp", "scope"):
        refused(tokens, SIGNER.sign_raw(header, claims[:-1] + f', "{name}": {json.dumps(CLAIMS[name])}}}'))
    refused(tokens, SIGNER.sign_raw(header[:-1] + ', "alg": "ES256"}', claims))
    refused(tokens, SIGNER.sign_raw(header, claims[:-1] + ', "x": {"a": 1, "a": 2}}'))


def test_a_token_has_a_bounded_size(tokens: TokenVerifier) -> None:
    assert tokens.identify(SIGNER.sign(more="x" * 5000), NOW_S)
    assert "longer than 8192" in refused(tokens, SIGNER.sign(more="x" * 8000))
    assert "longer than 8192" in refused(tokens, TOKEN_PREFIX + "x" * 10_000_000)


# --- tenant, user, role, models ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "reason"),
    [
        ("stranger", "'stranger' is not known here"),
        ("gone", "'gone' is disabled"),
        (None, "does not hold the id of a tenant"),
        ("", "does not hold the id of a tenant"),
        ("ACME", "does not hold the id of a tenant"),
        ("acme\n", "does not hold the id of a tenant"),
        ("acme' OR '1'='1", "does not hold the id of a tenant"),
        ("\ud800", "does not hold the id of a tenant"),
        (["acme"], "does not hold the id of a tenant"),
        ("a" * 65, "does not hold the id of a tenant"),
    ],
)
def test_the_tenant_is_one_that_is_known(tokens: TokenVerifier, tenant: Any, reason: str) -> None:
    assert reason in refused(tokens, SIGNER.sign(tenant=tenant))


def test_a_disabled_tenant_ends_its_tokens_at_once(tmp_path: Path) -> None:
    tokens, ring = a_verifier(from_file(tmp_path, SIGNER))
    text = SIGNER.sign()
    assert tokens.identify(text, NOW_S)
    ring.replace([], [TENANTS[1]])
    assert "not known" in refused(tokens, text)
    ring.replace([], TENANTS)
    assert tokens.identify(text, NOW_S)


def test_a_fixed_tenant_is_the_issuers_whatever_its_tokens_say(tmp_path: Path) -> None:
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER, tenant="other"))
    for claimed in ("acme", "other", None):
        assert tokens.identify(SIGNER.sign(tenant=claimed), NOW_S).key.tenant == "other"


@pytest.mark.parametrize("user", [None, "", 7, ["ada"], "a\nb", "x" * 257, "\u202eada", "\ud800"])
def test_a_token_without_a_user_is_refused(tokens: TokenVerifier, user: Any) -> None:
    assert "'sub' does not hold a user" in refused(tokens, SIGNER.sign(sub=user))


@pytest.mark.parametrize(
    ("scope", "role"),
    [
        ("llmops:call", "caller"),
        ("llmops:viewer openid", "viewer"),
        ("llmops:editor llmops:viewer", "editor"),
        (["llmops:call", "llmops:admin"], "admin"),
    ],
)
def test_the_highest_scope_gives_the_role(tokens: TokenVerifier, scope: Any, role: str) -> None:
    assert tokens.identify(SIGNER.sign(scope=scope), NOW_S).key.role == role


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "",
        "openid",
        "llmops:calls",
        "llmops:call,llmops:admin",
        "LLMOPS:CALL",
        ["openid"],
        ["llmops:call", 7],
        {"llmops:call": 1},
        7,
    ],
)
def test_a_token_without_a_known_scope_may_do_nothing(tokens: TokenVerifier, scope: Any) -> None:
    for _ in range(2):
        with pytest.raises(Forbidden, match="none of the scopes llmops:call, llmops:viewer"):
            tokens.identify(SIGNER.sign(scope=scope), NOW_S)


def test_claims_and_scopes_have_the_names_that_are_configured(tmp_path: Path) -> None:
    fields = {
        "tenant_claim": "https://acme.example/team",
        "user_claim": "email",
        "scope_claim": "scp",
        "roles": {"use": "caller"},
    }
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER, **fields))
    claims = {
        "https://acme.example/team": "other",
        "email": "ada@acme.example",
        "scp": "use",
        "tenant": None,
        "sub": None,
    }
    found = tokens.identify(SIGNER.sign(**claims), NOW_S)
    assert (found.key.tenant, found.user, found.key.role) == ("other", "ada@acme.example", "caller")
    with pytest.raises(Forbidden):
        tokens.identify(SIGNER.sign(**{**claims, "scp": "llmops:admin"}), NOW_S)


def test_models_are_restricted_by_a_claim(tmp_path: Path) -> None:
    tokens, ring = a_verifier(from_file(tmp_path, SIGNER, models_claim="models"))
    found = tokens.identify(SIGNER.sign(models=["gpt-*", "claude"]), NOW_S)
    assert found.key.models == ("gpt-*", "claude")
    ring.check_call(found.key, "chat", "gpt-4o")
    with pytest.raises(Forbidden, match=r"the token of corp may not use the model 'o3'; it may use gpt-\*, claude"):
        ring.check_call(found.key, "chat", "o3")
    assert tokens.identify(SIGNER.sign(models="gpt-4o o3"), NOW_S).key.models == ("gpt-4o", "o3")


@pytest.mark.parametrize("models", [None, [], "", [""], [7], {"gpt": 1}, ["a\nb"], ["x" * 201]])
def test_no_models_never_mean_all_models(tmp_path: Path, models: Any) -> None:
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER, models_claim="models"))
    with pytest.raises(Forbidden, match="'models' does not hold"):
        tokens.identify(SIGNER.sign(models=models), NOW_S)


def test_a_token_of_the_control_plane_needs_no_models(tmp_path: Path) -> None:
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER, models_claim="models"))
    assert tokens.identify(SIGNER.sign(scope="llmops:viewer"), NOW_S).key.models == ()


def test_issuers_do_not_answer_for_each_other(tmp_path: Path) -> None:
    second = Signer("k1")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = from_file(tmp_path / "a", SIGNER)
    two = from_file(tmp_path / "b", second, name="partner", issuer="https://two.example", tenant="other")
    tokens, _ = a_verifier(one, two)
    assert tokens.identify(SIGNER.sign(), NOW_S).key.id == "jwt:corp"
    assert tokens.identify(second.sign(iss="https://two.example"), NOW_S).key.id == "jwt:partner"
    assert "signature" in refused(tokens, second.sign())
    assert "signature" in refused(tokens, SIGNER.sign(iss="https://two.example"))


def test_what_is_remembered_is_bounded_and_the_longest_unused_goes(tmp_path: Path) -> None:
    tokens, _ = a_verifier(from_file(tmp_path, SIGNER), capacity=2)
    texts = [SIGNER.sign(jti=str(number)) for number in range(3)]
    found = [tokens.identify(text, NOW_S) for text in texts[:2]]
    assert tokens.identify(texts[0], NOW_S) is found[0]
    tokens.identify(texts[2], NOW_S)
    assert tokens.remembered == 2
    assert tokens.identify(texts[0], NOW_S) is found[0]
    assert tokens.identify(texts[1], NOW_S) is not found[1]


def test_only_good_tokens_are_remembered(tokens: TokenVerifier) -> None:
    refused(tokens, SIGNER.sign(aud="other"))
    refused(tokens, Signer("k1").sign())
    assert tokens.remembered == 0
    refused(tokens, SIGNER.sign(tenant="stranger"))
    assert tokens.remembered == 1, "genuine; its tenant may be made at any moment"
