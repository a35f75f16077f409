"""The request log: everything that ends is on disk soon, in order, once; a refusing disk loses nothing it need not."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmops.clock import ManualClock
from llmops.telemetry import request_log
from llmops.telemetry.log_file import LogFile
from llmops.telemetry.record import CallRecord
from llmops.telemetry.request_log import RequestLog
from tests.fakes.upstream import eventually

from .calls import SECRET_WORDS, finished, refused


class Disk(LogFile):
    """A real file on a disk that can be full, or slow."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, rotate_bytes=10**9, rotate_age_s=10**9)
        self.is_full = False
        self.gate = threading.Event()
        self.gate.set()
        self.attempts = 0

    def append(self, batch: bytes, now_s: float) -> None:
        self.attempts += 1
        self.gate.wait(5)
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().append(batch, now_s)

    def numbers(self) -> list[int]:
        if not self.path.exists():
            return []
        return [
            int(json.loads(line)["request_id"].removeprefix("req_"), 16) for line in self.path.read_text().splitlines()
        ]


@asynccontextmanager
async def opened(tmp_path: Path, **options: object) -> AsyncIterator[tuple[RequestLog, Disk]]:
    disk = Disk(tmp_path / "g.jsonl")
    log = RequestLog(disk, clock=ManualClock(), hash_key=b"k" * 32, **{"flush_interval_s": 0.01, **options})  # type: ignore[arg-type]
    try:
        yield log, disk
    finally:
        disk.gate.set()
        await log.aclose()


async def test_what_has_ended_is_soon_on_disk_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, disk):
        log.append(finished(1))
        log.append(refused(2))
        assert log.waiting == 2
        assert await eventually(lambda: log.written == 2)
        assert (disk.numbers(), log.waiting) == ([1, 2], 0)
        assert SECRET_WORDS not in disk.path.read_text()


async def test_order_is_kept_and_nothing_is_written_twice(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, disk):
        for number in range(1000):
            log.append(finished(number))
            if number % 37 == 0:
                await asyncio.sleep(0.001)
            if number % 101 == 0:
                await log.flush()
        await log.flush()
        assert disk.numbers() == list(range(1000))
        assert (log.written, log.waiting, log.dropped) == (1000, 0, 0)


async def test_flush_writes_all_that_was_appended_until_then(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval_s=60.0) as (log, disk):
        for number in range(100):
            log.append(finished(number))
        await asyncio.gather(log.flush(), log.flush(), log.flush())
        assert disk.numbers() == list(range(100))
        await log.flush()
        assert disk.attempts == 1


async def test_what_comes_while_the_disk_is_busy_is_written_next(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, disk):
        disk.gate.clear()
        log.append(finished(1))
        assert await eventually(lambda: disk.attempts == 1)
        for number in range(2, 50):
            log.append(finished(number))
        await asyncio.sleep(0.02)
        assert log.waiting == 49
        disk.gate.set()
        assert await eventually(lambda: log.written == 49)
        assert disk.numbers() == list(range(1, 50))


async def test_closing_writes_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval_s=60.0) as (log, disk):
        for number in range(77):
            log.append(finished(number))
    assert disk.numbers() == list(range(77))


async def test_a_full_disk_is_reported_and_its_records_are_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as (log, disk):
        disk.is_full = True
        for number in range(10):
            log.append(finished(number))
        assert await eventually(lambda: log.failing is not None)
        assert (log.waiting, log.written, log.dropped) == (10, 0, 0)
        assert log.failing is not None and "No space left" in log.failing
        log.append(finished(10))
        await log.flush()
        assert disk.numbers() == []
        disk.is_full = False
        assert await eventually(lambda: log.written == 11, within_s=3)  # by itself
        assert (disk.numbers(), log.failing, log.waiting) == (list(range(11)), None, 0)
    said = [record.message for record in caplog.records]
    assert len(said) == 2 and "cannot be written" in said[0] and "again" in said[1]


async def test_what_no_longer_fits_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "_MAX_WAITING", 50)
    async with opened(tmp_path) as (log, disk):
        disk.is_full = True
        for number in range(80):
            log.append(finished(number))
        await log.flush()
        assert (log.waiting, log.dropped) == (50, 30)
        disk.is_full = False
        await log.flush()
        assert (disk.numbers(), log.dropped) == (list(range(50)), 30)


async def test_closing_on_a_full_disk_ends_and_says_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as (log, disk):
        disk.is_full = True
        log.append(finished(1))
        assert await eventually(lambda: log.failing is not None)
        log.append(finished(2))
    assert (log.waiting, log.dropped) == (0, 2)
    assert any("2 records are lost" in record.message for record in caplog.records)
    await asyncio.sleep(1.1)  # a retry that was still planned would end in an error here


async def test_a_flush_that_is_given_up_neither_loses_nor_repeats_a_line(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval_s=60.0) as (log, disk):
        disk.gate.clear()
        for number in range(100):
            log.append(finished(number))
        flushing = asyncio.create_task(log.flush())
        assert await eventually(lambda: disk.attempts == 1)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        disk.gate.set()
        log.append(finished(100))
        await log.flush()
        assert disk.numbers() == list(range(101))


async def test_a_hook_that_fails_does_not_have_lines_written_again(tmp_path: Path) -> None:
    def fails() -> None:
        raise OSError(28, "No space left on device")

    async with opened(tmp_path) as (log, disk):
        log.after_flush = fails
        for number in range(3):
            log.append(finished(number))
            await log.flush()
        assert (disk.numbers(), log.written, log.failing) == ([0, 1, 2], 3, None)


async def test_records_are_observed_once_also_while_the_disk_refuses(tmp_path: Path) -> None:
    observed: list[CallRecord] = []
    async with opened(tmp_path, on_batch=observed.extend) as (log, disk):
        disk.is_full = True
        for number in range(40):
            log.append(finished(number))
        await log.flush()
        await log.flush()
        disk.is_full = False
        await log.flush()
    assert [record.request_id for record in observed] == [f"req_{number:032x}" for number in range(40)]


async def test_capture_stores_the_text(tmp_path: Path) -> None:
    async with opened(tmp_path, capture=True) as (log, disk):
        log.append(finished(1))
        await log.flush()
        assert SECRET_WORDS in disk.path.read_text()
