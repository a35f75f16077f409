"""The hash key: made once, private, the same for all processes, and never silently replaced."""

import multiprocessing
from pathlib import Path

import pytest

from llmops.telemetry.hash_key import load_hash_key


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    key = load_hash_key(directory)
    assert len(key) == 32 and load_hash_key(directory) == key
    assert [path.name for path in directory.iterdir()] == [".hash-key"]
    assert (directory / ".hash-key").stat().st_mode & 0o777 == 0o600
    assert load_hash_key(tmp_path / "others") != key


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(load_hash_key, [tmp_path / "logs"] * 32, chunksize=1)
    assert len(set(keys)) == 1 and [path.name for path in (tmp_path / "logs").iterdir()] == [".hash-key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_an_error_that_says_what_to_do(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".hash-key").write_bytes(content)
    with pytest.raises(OSError, match=r"\.hash-key must hold 32 bytes, not \d+; delete it"):
        load_hash_key(tmp_path)
    assert (tmp_path / ".hash-key").read_bytes() == content
