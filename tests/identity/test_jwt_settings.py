"""What can be configured about issuers of tokens, and what each mistake is told."""

from pathlib import Path
from typing import Any

import pytest

from llmops.config import load_settings
from llmops.errors import ConfigError
from tests.identity.tokens import an_issuer

GOOD: dict[str, Any] = {"name": "corp", "issuer": "https://i", "audience": "a", "jwks_url": "https://i/keys"}


def problems_of(tmp_path: Path, *issuers: dict[str, Any]) -> str:
    file = tmp_path / "empty.yaml"
    file.write_text("")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, auth={"jwt": list(issuers)})
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithms": ["none"]}, "'none' is no signature: anybody could make such a token"),
        ({"algorithms": ["RS256", "NONE"]}, "'none' is no signature"),
        ({"algorithms": ["HS256"]}, "'HS256' signs with a shared secret, so whoever can check a token can make one"),
        ({"algorithms": ["hs512"]}, "'hs512' signs with a shared secret"),
        ({"algorithms": ["ES257"]}, "must be 'RS256', 'RS384'"),
        ({"algorithms": []}, "at least 1 item"),
        ({"algorithms": "RS256"}, "must be a valid list"),
        ({"jwks_url": "http://idp.example/keys"}, "must be https: whoever can change what travels in the clear"),
        ({"jwks_url": "http://127.0.0.1.evil.example/keys"}, "must be https: whoever"),
        ({"jwks_url": "ftp://i/keys"}, "must be an https:// URL"),
        ({"jwks_url": "https:///keys"}, "must be an https:// URL"),
        ({"jwks_url": "https://i:99999/keys"}, "Port out of range"),
        ({"jwks_url": "https://i/a b"}, "percent-encode it"),
        ({"jwks_url": "https://i/\r\nHost: x"}, "percent-encode it"),
        ({"jwks_url": "https://user:hunter2@i/keys"}, "must carry no credentials"),
        ({"jwks_url": None}, "give one of jwks_url, jwks_file, public_key_file"),
        ({"jwks_file": "keys.json"}, "not jwks_url and jwks_file"),
        ({"issuer": ""}, "at least 1 character"),
        ({"audience": ""}, "at least 1 character"),
        ({"audience": ["a"]}, "must be a valid string"),
        ({"name": "Corp SSO"}, "should match pattern"),
        ({"name": "corp\n"}, "should match pattern"),
        ({"tenant": "Acme"}, "should match pattern"),
        ({"tenant": "acme", "tenant_claim": "team"}, "give tenant or tenant_claim, not both"),
        ({"roles": {}}, "at least 1 item"),
        ({"roles": {"use": "root"}}, "must be 'caller', 'viewer', 'editor' or 'admin'"),
        ({"roles": {"two words": "caller"}}, "'two words' is not a scope"),
        ({"leeway_seconds": 301}, "less than or equal to 300"),
        ({"leeway_seconds": -1}, "greater than or equal to 0"),
        ({"leeway_seconds": float("nan")}, "leeway_seconds"),
        ({"refresh_seconds": 1}, "greater than or equal to 30"),
        ({"algoritms": ["RS256"]}, "auth.jwt.0.algoritms: unknown key; did you mean 'algorithms'?"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    said = problems_of(tmp_path, {**GOOD, **changes})
    assert message in said and "hunter2" not in said


def test_issuers_are_told_apart_by_name_and_by_issuer(tmp_path: Path) -> None:
    assert "the same name" in problems_of(tmp_path, GOOD, {**GOOD, "issuer": "https://other"})
    assert "the same issuer" in problems_of(tmp_path, GOOD, {**GOOD, "name": "other"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/keys", "http://[::1]/keys", "http://localhost/k", "https://i/k?p=1"]
)
def test_this_machine_needs_no_encryption(url: str) -> None:
    assert an_issuer(jwks_url=url).jwks_url == url


def test_who_can_make_administrators() -> None:
    assert an_issuer().gives_admin
    assert not an_issuer(roles={"use": "caller", "look": "viewer"}).gives_admin
