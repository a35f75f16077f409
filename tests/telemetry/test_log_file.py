"""The log's file: rotated by size and age under any number of writers, without a line lost or torn."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from llmops.telemetry.log_file import LogFile

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0


def log_file(path: Path, *, rotate_bytes: int = 10_000_000, rotate_age_s: float = DAY_S) -> LogFile:
    return LogFile(path, rotate_bytes=rotate_bytes, rotate_age_s=rotate_age_s)


def all_lines(directory: Path) -> list[bytes]:
    return [line for file in sorted(directory.glob("*.jsonl")) for line in file.read_bytes().splitlines(keepends=True)]


def test_batches_are_appended(tmp_path: Path) -> None:
    file = log_file(tmp_path / "deep" / "er" / "g.jsonl")
    file.append(b"1\n2\n", NOW_S)
    file.append(b"3\n", NOW_S)
    file.close()
    file.append(b"4\n", NOW_S)  # closed is only closed for now
    file.close()
    assert (tmp_path / "deep" / "er" / "g.jsonl").read_bytes() == b"1\n2\n3\n4\n"
    assert (tmp_path / "deep" / "er" / "g.jsonl").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("torn", [b"{", b'{"half":' + b"x" * 200_000])
@pytest.mark.parametrize("whole", [b"", b'{"whole":1}\n'])
@pytest.mark.parametrize("rotate_bytes", [1, 10_000_000])
def test_half_a_line_of_a_writer_that_was_killed_is_taken_off(
    torn: bytes, whole: bytes, rotate_bytes: int, tmp_path: Path
) -> None:
    path = tmp_path / "gateway.jsonl"
    path.write_bytes(whole + torn)
    file = log_file(path, rotate_bytes=rotate_bytes)
    file.append(b'{"next":2}\n', NOW_S)
    file.close()
    assert sorted(all_lines(tmp_path)) == sorted([*whole.splitlines(keepends=True), b'{"next":2}\n'])


def test_it_is_rotated_by_size(tmp_path: Path) -> None:
    file = log_file(tmp_path / "g.jsonl", rotate_bytes=100)
    for number in range(50):
        file.append(b"%010d\n" % number, NOW_S + number)
    file.close()
    assert all_lines(tmp_path) == [b"%010d\n" % number for number in range(50)]
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 5 and max(sizes) <= 110


def test_files_rotated_in_the_same_moment_have_names_of_their_own(tmp_path: Path) -> None:
    file = log_file(tmp_path / "g.jsonl", rotate_bytes=1)
    for number in range(20):
        file.append(b"%d\n" % number, NOW_S)
    file.close()
    assert len(list(tmp_path.iterdir())) == 20
    assert {int(line) for line in all_lines(tmp_path)} == set(range(20))


@pytest.mark.parametrize("restart", [False, True])
def test_it_is_rotated_by_the_age_of_its_first_line(restart: bool, tmp_path: Path) -> None:
    """Which a restart does not change."""
    file = log_file(tmp_path / "g.jsonl", rotate_age_s=3600)
    file.append(b'{"timestamp":"2023-11-14T22:13:20.000Z"}\n', NOW_S)
    if restart:
        file.close()
        file = log_file(tmp_path / "g.jsonl", rotate_age_s=3600)
    file.append(b"second\n", NOW_S + 3599)
    assert len(list(tmp_path.iterdir())) == 1
    file.append(b"third\n", NOW_S + 3601)
    file.close()
    assert (tmp_path / "g.jsonl").read_bytes() == b"third\n"
    assert len(all_lines(tmp_path)) == 3


def test_an_empty_file_is_never_rotated(tmp_path: Path) -> None:
    file = log_file(tmp_path / "g.jsonl", rotate_bytes=1, rotate_age_s=1)
    (tmp_path / "g.jsonl").touch()
    file.append(b"x\n", NOW_S + 10 * DAY_S)
    file.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_somebody_moved_or_deleted_is_made_anew(tmp_path: Path) -> None:
    """An operator's own logrotate."""
    file = log_file(tmp_path / "g.jsonl")
    file.append(b"1\n", NOW_S)
    (tmp_path / "g.jsonl").rename(tmp_path / "moved.jsonl")
    file.append(b"2\n", NOW_S)
    (tmp_path / "g.jsonl").unlink()
    file.append(b"3\n", NOW_S)
    file.close()
    assert ((tmp_path / "moved.jsonl").read_bytes(), (tmp_path / "g.jsonl").read_bytes()) == (b"1\n", b"3\n")


def write_many(path: Path, writer: int, batches: int) -> None:
    file = log_file(path, rotate_bytes=20_000)
    for batch in range(batches):
        lines = [
            json.dumps({"writer": writer, "number": batch * 10 + number, "pad": "x" * (number * 13)})
            for number in range(10)
        ]
        file.append(("\n".join(lines) + "\n").encode(), NOW_S + batch)
    file.close()


def test_many_writers_lose_and_tear_nothing_while_the_file_rotates(tmp_path: Path) -> None:
    """Four processes and four threads, each with a file object of its own, over some eighty rotations."""
    path = tmp_path / "g.jsonl"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_many, args=(path, writer, 100)) for writer in range(4)]
    threads = [threading.Thread(target=write_many, args=(path, writer, 100)) for writer in range(4, 8)]
    for worker in [*processes, *threads]:
        worker.start()
    for worker in [*processes, *threads]:
        worker.join()
    assert [process.exitcode for process in processes] == [0] * 4
    found: dict[int, list[int]] = {writer: [] for writer in range(8)}
    files = sorted(tmp_path.glob("*.jsonl"))
    assert len(files) > 20
    for line in all_lines(tmp_path):
        record = json.loads(line)
        assert len(record["pad"]) == record["number"] % 10 * 13
        found[record["writer"]].append(record["number"])
    assert {writer: sorted(numbers) for writer, numbers in found.items()} == {
        writer: list(range(1000)) for writer in range(8)
    }
    for file in files:  # a batch is in one piece
        records = [json.loads(line) for line in file.read_text().splitlines()]
        for start in range(0, len(records), 10):
            batch = records[start : start + 10]
            assert len({record["writer"] for record in batch}) == 1
            assert [record["number"] - batch[0]["number"] for record in batch] == list(range(10))


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from llmops.telemetry.log_file import LogFile

    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    file = LogFile(Path(sys.argv[1]), rotate_bytes=10**9, rotate_age_s=10**9)
    refused = 0
    for number in range(200):
        try:
            file.append(b"%06d " % number * 10 + b"\\n", 0)
        except OSError:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    file.append(b"and again\\n", 0)
    print(refused)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    """The kernel cuts a write short at the limit, as a full disk does: what was written of the batch is taken back."""
    path = tmp_path / "g.jsonl"
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[-1] == b"and again\n" and len(lines) + int(ran.stdout) == 201
    assert all(len(line) == 71 and line.endswith(b"\n") for line in lines[:-1])
    assert 4900 < sum(map(len, lines[:-1])) <= 5000


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        log_file(tmp_path / "file" / "g.jsonl").append(b"x\n", NOW_S)
