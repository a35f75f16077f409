"""Following the log's files through whatever happens to them."""

import os
import shutil
import time
from pathlib import Path

import pytest

from llmops.spend.usage.log_follower import LogFollower
from tests.spend.usage.logs import LogFolder, line, lines


class Reader:
    """Takes whole lines and remembers them, as a database would."""

    def __init__(self, path: Path) -> None:
        self.follower = LogFollower(path)
        self.positions: dict[int, int] = {}
        self.read: list[bytes] = []

    def take(self, limit_bytes: int = 10_000_000, *, thoroughly: bool = True, at_most: int = 10**6) -> None:
        for _ in range(at_most):
            if self.follower.look(thoroughly=thoroughly):
                self.follower.resume(self.positions)
            chunk = self.follower.next_chunk(limit_bytes)
            if chunk is None:
                return
            assert chunk.known == self.positions.get(chunk.part.id, 0)
            self.positions[chunk.part.id] = chunk.end
            self.follower.advance(chunk)
            self.read += chunk.lines.splitlines(keepends=True)

    def restarted(self) -> "Reader":
        self.follower.close()
        other = Reader(self.follower.path)
        other.positions, other.read = self.positions, self.read
        return other

    @property
    def numbers(self) -> list[int]:
        return [int(each.split(b'"req_')[1][:32], 16) for each in self.read]


@pytest.fixture
def log(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs")


@pytest.fixture
def reader(log: LogFolder) -> Reader:
    return Reader(log.path)


def test_no_folder_and_no_file_are_nothing_to_read(tmp_path: Path, log: LogFolder, reader: Reader) -> None:
    Reader(tmp_path / "nowhere/gateway.jsonl").take()
    reader.take()
    log.append(b"")
    reader.take()
    assert reader.read == [] and reader.follower.behind_bytes == 0


def test_only_whole_lines_are_read(log: LogFolder, reader: Reader) -> None:
    whole = line(2)
    log.append(line(1) + whole[:50])
    reader.take()
    assert reader.numbers == [1] and reader.follower.behind_bytes == 50
    log.append(whole[50:])
    reader.take(thoroughly=False)
    assert reader.numbers == [1, 2] and reader.follower.behind_bytes == 0


def test_small_chunks_read_the_same(log: LogFolder, reader: Reader) -> None:
    log.append(lines(*range(50)) + line(50, user="u" * 200_000) + line(51))
    reader.take(limit_bytes=700)
    assert reader.numbers == list(range(52))


def test_rotations_are_followed_oldest_first_however_many_there_were(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    reader.take()
    for number in range(3, 9):
        log.append(line(number))
        log.rotate()
        time.sleep(0.002)
    log.append(line(9))
    reader.take()
    assert reader.numbers == list(range(1, 10))
    reader = reader.restarted()
    reader.take()
    assert reader.numbers == list(range(1, 10))


def test_a_rotation_is_noticed_without_a_thorough_look(log: LogFolder, reader: Reader) -> None:
    log.append(line(1))
    reader.take()
    log.append(line(2))
    log.rotate()
    log.append(line(3))
    reader.take(thoroughly=False)
    assert reader.numbers == [1, 2, 3]


@pytest.mark.parametrize("name", ["gateway.jsonl.1", "gateway.jsonl-20261121", "gateway-old.jsonl"])
def test_other_peoples_names_for_rotated_files(name: str, log: LogFolder, reader: Reader) -> None:
    log.append(line(1))
    log.rotate(name)
    log.append(line(2))
    (log.path.parent / "other.jsonl").write_bytes(line(3))
    (log.path.parent / "gateway.jsonl.1.gz").write_bytes(line(4))
    reader.take()
    assert sorted(reader.numbers) == [1, 2]


def test_a_file_that_was_read_may_be_moved_copied_back_and_deleted(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    reader.take()
    rotated = log.rotate()
    shutil.copy(rotated, rotated.with_name("gateway-copy.jsonl"))  # another inode, another name, the same file
    rotated.unlink()
    log.append(line(3))
    reader.take()
    rotated.with_name("gateway-copy.jsonl").unlink()
    reader.take()
    assert set(reader.numbers) == {1, 2, 3} and reader.follower.notices == []


def test_the_present_file_is_read_to_its_end_also_when_it_is_deleted(log: LogFolder, reader: Reader) -> None:
    log.append(line(1))
    reader.take()
    log.append(lines(2, 3))
    log.path.unlink()
    log.append(line(4))
    reader.take()
    reader.take()
    assert sorted(reader.numbers) == [1, 2, 3, 4] and reader.follower.notices == []


def test_a_copy_and_a_truncation_instead_of_a_rename(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    reader.take(at_most=1)
    log.append(line(3))
    shutil.copy(log.path, log.path.with_name("gateway.jsonl.1"))
    os.truncate(log.path, 0)
    log.append(line(4))
    reader.take()
    assert set(reader.numbers) == {1, 2, 3, 4}


def test_lines_that_are_gone_before_they_were_read_are_said(log: LogFolder, reader: Reader) -> None:
    log.append(line(1))
    log.rotate().chmod(0o644)
    log.append(line(2))
    reader.follower.look(thoroughly=True)
    next(log.path.parent.glob("gateway-*.jsonl")).unlink()
    reader.take()
    assert reader.numbers == [2]
    assert "is gone" in reader.follower.notices[0] and f"{len(line(1))} bytes" in reader.follower.notices[0]


def test_a_file_that_has_become_shorter_is_said_and_read_again(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2, 3))
    reader.take()
    os.truncate(log.path, len(lines(1, 2)))
    log.append(b"")
    reader.take()
    assert reader.numbers == [1, 2, 3, 1, 2] and "shorter" in reader.follower.notices[0]
    log.append(line(4))
    reader.take()
    assert reader.numbers[5:] == [4] and len(reader.follower.notices) == 1


def test_another_file_at_the_same_inode_is_another_file(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    reader.take()
    with log.path.open("r+b") as file:  # as if the inode had been used again
        file.truncate(0)
        file.write(lines(7, 8, 9))
    reader.take()
    assert reader.numbers == [1, 2, 7, 8, 9]


def test_a_torn_end_of_a_file_that_is_over_is_passed_by(log: LogFolder, reader: Reader) -> None:
    log.append(line(1) + b'{"timestamp":"20')
    old = log.rotate()
    reader.take()
    assert reader.follower.behind_bytes == 16, "it may still be written to"
    os.utime(old, (time.time() - 60, time.time() - 60))
    reader.take()
    assert (reader.numbers, reader.follower.behind_bytes) == ([1], 0)


def test_a_file_with_two_names_is_read_once(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    os.link(log.path, log.path.with_name("gateway-backup.jsonl"))
    reader.take()
    log.append(line(3))
    reader.take()
    assert reader.numbers == [1, 2, 3]


def test_files_that_begin_with_the_same_line_are_not_taken_for_one(log: LogFolder, reader: Reader) -> None:
    log.append(lines(1, 2))
    log.rotate()
    log.append(lines(1, 3))
    reader.take()
    assert sorted(reader.numbers) == [1, 1, 2, 3]
