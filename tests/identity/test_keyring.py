"""Judging credentials: who gets in, who does not, and that a refusal tells nothing that helps a guesser."""

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import Forbidden, Unauthenticated
from llmops.identity import keyring as keyring_module
from llmops.identity.key import Tenant
from llmops.identity.keyring import Keyring
from llmops.identity.secret import Credential, Digester, mint
from llmops.types import Operation
from tests.identity.rings import NOW_S, PEPPER, TENANTS, a_key, ring_of

KEY, CREDENTIAL = a_key()
RING = ring_of(KEY)


def refusal(ring: Keyring, text: str | None, now_s: float = NOW_S) -> str:
    with pytest.raises(Unauthenticated) as caught:
        ring.identify(text, now_s)
    assert (caught.value.status, caught.value.code, caught.value.param) == (401, "invalid_api_key", None)
    return caught.value.message


# --- who gets in ------------------------------------------------------------------------------------------------


def test_nobody_gets_in_before_keys_are_loaded_then_all_while_there_are_none_then_only_keys() -> None:
    ring = Keyring(PEPPER)
    assert not ring.open
    refusal(ring, str(CREDENTIAL))
    ring.replace([], TENANTS)
    assert ring.open
    ring.replace([KEY], TENANTS)
    assert not ring.open
    assert ring.identify(str(CREDENTIAL), NOW_S) is KEY


def test_a_revoked_key_keeps_the_door_shut() -> None:
    revoked, _ = a_key(revoked_at_s=1.0)
    assert not ring_of(revoked).open


@pytest.mark.parametrize(
    ("client", "local"),
    [
        (None, True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("0.0.0.0", False),
        ("172.17.0.1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_without_keys_only_this_machine_is_served(client: str | None, local: bool) -> None:
    ring = ring_of()
    if local:
        ring.check_local(client)
    else:
        with pytest.raises(Unauthenticated, match="llmops keys create NAME"):
            ring.check_local(client)


# --- who does not -----------------------------------------------------------------------------------------------


def test_every_wrong_credential_gets_the_same_words() -> None:
    """Whether an id exists, or a secret nearly fits, is not to be learnt."""
    rotated, _ = a_key(previous_digest=Digester(PEPPER).digest("x" * 48), previous_until_s=NOW_S + 10)
    ring = ring_of(KEY, rotated)
    wrong = [
        str(mint()),
        str(mint(KEY.id)),
        str(mint(rotated.id)),
        str(Credential(mint().public_id, CREDENTIAL.secret)),
        str(Credential(KEY.id, CREDENTIAL.secret[:-1] + ("a" if CREDENTIAL.secret[-1] != "a" else "b"))),
        str(Credential(KEY.id, CREDENTIAL.secret.swapcase())),
        str(CREDENTIAL)[:-1],
        KEY.id,
        CREDENTIAL.secret,
        "unused",
        "Bearer " + str(CREDENTIAL),
        "' OR 1=1 --",
        "x" * 1_000_000,
    ]
    (message,) = {refusal(ring, text) for text in wrong}
    assert "sk-<12 characters>-<48 characters>" in message


def test_no_refusal_repeats_what_was_sent() -> None:
    for text in ("a-secret-in-the-wrong-place", str(mint(KEY.id)), "sk-" + "ü" * 60):
        assert text not in refusal(RING, text) and text[-20:] not in refusal(RING, text)


def test_no_credential_is_told_where_to_put_one() -> None:
    for nothing in (None, ""):
        assert "Authorization: Bearer" in refusal(RING, nothing)


def test_only_whoever_knows_the_secret_learns_that_the_key_has_ended() -> None:
    expired, expired_credential = a_key(expires_at_s=NOW_S)
    revoked, revoked_credential = a_key(revoked_at_s=NOW_S - 1)
    foreign, foreign_credential = a_key(tenant="off")
    ring = ring_of(expired, revoked, foreign)
    told = {
        "is expired": expired_credential,
        "is revoked": revoked_credential,
        "tenant of the API key": foreign_credential,
    }
    for words, credential in told.items():
        assert words in refusal(ring, str(credential))
        assert words not in refusal(ring, str(mint(credential.public_id)))


def test_a_key_lives_until_its_expiry() -> None:
    key, credential = a_key(expires_at_s=NOW_S + 10)
    ring = ring_of(key)
    assert ring.identify(str(credential), NOW_S + 9.999) is key
    refusal(ring, str(credential), NOW_S + 10)


def test_a_revocation_holds_whatever_the_clocks_say() -> None:
    """The shell that revoked may run on a machine whose clock is ahead."""
    key, credential = a_key(revoked_at_s=NOW_S + 3600)
    assert "is revoked" in refusal(ring_of(key), str(credential))


def test_a_tenant_is_disabled_and_enabled() -> None:
    tenant = Tenant(id="t", name="T", created_at_s=0)
    key, credential = a_key(tenant="t")
    ring = Keyring(PEPPER)
    for disabled in (False, True, False):
        ring.replace([key], [Tenant(id="t", name="T", created_at_s=0, disabled=disabled), *TENANTS])
        if disabled:
            refusal(ring, str(credential))
        else:
            assert ring.identify(str(credential), NOW_S).tenant == tenant.id


def test_another_installations_pepper_opens_nothing() -> None:
    ring = Keyring(b"q" * 32)
    ring.replace([KEY], TENANTS)
    refusal(ring, str(CREDENTIAL))


def test_after_a_rotation_both_secrets_open_until_the_grace_is_over() -> None:
    old = mint()
    key, new = a_key(previous_digest=Digester(PEPPER).digest(old.secret), previous_until_s=NOW_S + 60)
    ring, old_text = ring_of(key), str(Credential(key.id, old.secret))
    for now_s in (NOW_S, NOW_S + 59.9):
        assert ring.identify(old_text, now_s) is ring.identify(str(new), now_s) is key
    assert refusal(ring, old_text, NOW_S + 60) == refusal(ring, "garbage")
    assert ring.identify(str(new), NOW_S + 60) is key


def near_misses() -> st.SearchStrategy[str]:
    """The real key with a few characters exchanged, cut or added: where a careless comparison would slip."""
    text = str(CREDENTIAL)

    def spoil(place: int, new: str, removed: int) -> str:
        return text[:place] + new + text[place + removed :]

    return st.builds(spoil, st.integers(0, len(text)), st.text(max_size=3), st.integers(0, 3))


@given(st.one_of(st.text(), near_misses(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_is_the_key_or_unauthenticated(text: str) -> None:
    try:
        assert RING.identify(text, NOW_S) is KEY
        assert text == str(CREDENTIAL)
    except Unauthenticated as exc:
        assert text != str(CREDENTIAL)
        assert CREDENTIAL.secret not in exc.message


def test_digests_are_compared_in_constant_time_only() -> None:
    """As many comparisons whether the id exists or not, and never with ``==``."""
    tree = ast.parse(inspect.getsource(keyring_module))
    calls = [
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert calls.count("compare_digest") == 2
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert not [text for text in compared if "digest" in text or "given" in text or "secret" in text]


# --- what a key may do ------------------------------------------------------------------------------------------


def allowed(models: tuple[str, ...], model: str) -> bool:
    key, _ = a_key(models=models)
    ring = ring_of(key)
    try:
        ring.check_call(key, "chat", model)
    except Forbidden as exc:
        assert (exc.status, exc.param) == (403, "model") and all(each in exc.message for each in models)
        assert len(exc.message) < 400
        return False
    return True


@pytest.mark.parametrize(
    ("models", "yes", "no"),
    [
        ((), ["anything", ""], []),
        (("gpt-4o",), ["gpt-4o"], ["gpt-4o-mini", "GPT-4O", "gpt-4o\n", "", "xgpt-4o"]),
        (("gpt-*", "claude"), ["gpt-", "gpt-5", "claude"], ["claude-x", "Xgpt-5", "o3"]),
        (("*-mini",), ["gpt-mini", "-mini"], ["gpt-mini-x"]),
        (("*",), ["anything"], []),
        (("[a-z]?",), ["[a-z]?"], ["ab", "a?"]),
        (("a.c",), ["a.c"], ["abc", "x" * 100_000]),
    ],
)
def test_models_are_names_or_patterns_with_an_asterisk(models: tuple[str, ...], yes: list[str], no: list[str]) -> None:
    assert [model for model in yes if not allowed(models, model)] == []
    assert [model[:20] for model in no if allowed(models, model)] == []


def test_operations_are_those_of_the_key() -> None:
    every: list[Operation] = ["chat", "responses", "messages", "count_tokens", "embeddings"]
    key, _ = a_key(operations=("chat", "embeddings"))
    free, _ = a_key()
    ring = ring_of(key, free)
    for operation in every:
        ring.check_call(free, operation, "m")
        if operation in key.operations:
            ring.check_call(key, operation, "m")
        else:
            with pytest.raises(Forbidden, match=f"may not use '{operation}'; it may use chat, embeddings"):
                ring.check_call(key, operation, "m")


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_keys_of_the_control_plane_make_no_calls(role: str) -> None:
    key, _ = a_key(role)  # type: ignore[arg-type]
    with pytest.raises(Forbidden, match="calls need a key with the role 'caller'"):
        ring_of(key).check_call(key, "chat", "m")
