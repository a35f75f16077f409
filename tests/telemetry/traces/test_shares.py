"""A spool's room between tenants: who floods it is stopped while there is room for everybody else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.traces.shares import Shares, fits
from llmops.telemetry.traces.spool import Spool, SpoolFull

LIMIT = 100_000
BODY = b"x" * 1000


def filled(spool: Spool, tenant: str, most: int = 1000) -> tuple[int, str | None]:
    """How many exports a tenant gets in, and why not more."""
    for number in range(most):
        try:
            spool.append(tenant, "protobuf", BODY, spans=1, received_us=1)
        except SpoolFull as full:
            return number, full.reason
    return most, None


def test_a_flood_leaves_room_for_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=LIMIT, file_bytes=10_000)
    flood, why = filled(spool, "flood")
    assert why == "tenant_share" and 0.7 <= flood * len(BODY) / LIMIT <= 0.75
    assert filled(spool, "quiet", 10) == (10, None)
    assert filled(spool, "flood") == (0, "tenant_share")
    others = [filled(spool, f"other-{number}", 2) for number in range(3)]
    assert others == [(2, None)] * 3
    spool.close()


def test_half_a_spool_is_anybodys(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=LIMIT)
    assert filled(spool, "one", 48) == (48, None)
    spool.close()


def test_what_another_process_or_an_earlier_one_left_counts_as_well(tmp_path: Path) -> None:
    """After a restart, and with several workers."""
    before = Spool(tmp_path, limit_bytes=LIMIT, file_bytes=10_000)
    filled(before, "flood")
    after = Spool(tmp_path, limit_bytes=LIMIT)
    assert filled(after, "flood") == (0, "tenant_share")
    assert filled(after, "quiet", 5) == (5, None)
    before.close()
    for path in tmp_path.glob("*.spool"):  # all of it is in the database
        path.unlink()
    again = Spool(tmp_path, limit_bytes=LIMIT)
    assert filled(again, "flood", 20) == (20, None)
    for spool in (after, again):
        spool.close()


def test_heads_are_read_as_far_as_files_are_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=LIMIT)
    filled(spool, "ä" * 200, 3)
    (tmp_path / "1-1-x.spool").write_bytes(b"garbage" * 100)
    with next(tmp_path.glob("*-*-????????.spool")).open("ab") as file:
        file.write(b"OTL1 torn")
    shares = Shares(tmp_path)
    shares.look(whose_beyond=10**9)
    assert shares.of(("ä" * 200).encode()) == 0, "not needed yet"
    for _ in range(2):
        shares.look(whose_beyond=0)
        assert shares.of(("ä" * 200).encode()) == shares.total - 700 - 9
    spool.close()


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    shares = Shares(tmp_path / "none")
    shares.look(whose_beyond=0)
    assert shares.total == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 200)), max_size=200))
def test_whoever_comes_new_finds_room_however_many_flood(asked: list[tuple[int, int]]) -> None:
    limit, held = 10_000, dict.fromkeys(range(6), 0)
    for tenant, size in asked:
        total = sum(held.values())
        if fits(limit, total, held[tenant], size):
            held[tenant] += size
    assert sum(held.values()) < limit and fits(limit, sum(held.values()), 0, 1)


@pytest.mark.parametrize("total", [0, 1, 5000])
def test_below_half_nobody_is_refused(total: int) -> None:
    assert fits(10_000, total, total, 2000)
