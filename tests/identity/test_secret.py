"""API keys as text, their digest, and the pepper."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.identity.secret import Digester, is_public_id, load_pepper, mint, parse
from llmops.secret_file import load_or_make


def test_a_minted_key_has_the_documented_form_and_is_read_back() -> None:
    for _ in range(200):
        credential = mint()
        assert re.fullmatch(r"sk-[a-z0-9]{12}-[A-Za-z0-9]{48}", str(credential))
        assert parse(str(credential)) == credential and is_public_id(credential.public_id)
    assert len({mint().secret for _ in range(200)}) == 200
    assert mint("abcdefghijkl").public_id == "abcdefghijkl"


def test_the_secret_is_not_in_what_a_program_prints_by_accident() -> None:
    credential = mint()
    assert credential.secret not in repr(credential) and credential.secret not in f"{[credential]}"


GOOD = f"sk-{'a' * 12}-{'B' * 48}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-",
        GOOD[:-1],
        GOOD + "x",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.replace("sk-", "pk-"),
        GOOD.replace("-", "_"),
        GOOD[:-1] + "é",
        GOOD[:-1] + "\x00",
        GOOD[:-1] + "٣",
        GOOD.replace("aa", "a'", 1),
    ],
)
def test_what_is_not_a_key(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or str(found) == text


def test_the_digest_depends_on_secret_and_pepper_and_shows_neither() -> None:
    # HMAC-SHA256, written out: digests that are stored must stay valid
    known = "6f1d5e29131a66a1ee04c8aac1a8254c25d6ee6cc3e2e2284468434fba830ecc"
    assert Digester(b"p" * 32).digest("s").hex() == known
    assert len({Digester(pepper * 32).digest(secret) for pepper in (b"p", b"q") for secret in ("s", "t")}) == 4


def test_the_pepper_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    pepper = load_pepper(tmp_path / "runs")
    file = tmp_path / "runs/.pepper"
    assert load_pepper(tmp_path / "runs") == pepper == file.read_bytes() and len(pepper) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_pepper(tmp_path / "other") != pepper


def test_a_pepper_of_the_wrong_length_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".pepper").write_bytes(b"short")
    with pytest.raises(OSError, match="must hold 32 bytes, not 5"):
        load_pepper(tmp_path)


def test_the_pepper_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_KEY_PEPPER", "x" * 32)
    assert load_pepper(tmp_path) == b"x" * 32 and os.listdir(tmp_path) == []
    monkeypatch.setenv("LLMOPS_KEY_PEPPER", "x" * 31)
    with pytest.raises(ValueError, match="at least 32 characters"):
        load_pepper(tmp_path)


def test_those_who_make_a_secret_together_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load_or_make(tmp_path / "folder/.secret"), range(16)))
    assert len(set(made)) == 1
    assert os.listdir(tmp_path / "folder") == [".secret"]
