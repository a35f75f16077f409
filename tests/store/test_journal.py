"""The journal: lines outlive their process, are never half there, and one without an owner is taken over once."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.store.journal import Journal, one_at_a_time, orphans, remove_unused, taken_over
from tests.serving import environment

ROOM = 4096


def left(folder: Path) -> list[bytes | None]:
    """What is taken over of each file, oldest first."""
    found = []
    for path in orphans(folder):
        with taken_over(path) as content:
            found.append(content)
    return found


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_lines_are_there_after_their_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    assert not journal.has_room(1)
    journal.begin(b"opened\n", 10)
    journal.write(b"one\n")
    journal.write(b"two\nthree\n")
    journal.close(keep=True)
    assert left(tmp_path) == [b"opened\none\ntwo\nthree"]
    assert left(tmp_path) == [] and orphans(tmp_path) == [], "what was dealt with is gone"


def test_a_journal_that_is_no_longer_needed_leaves_nothing(tmp_path: Path) -> None:
    before = open_files()
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"", 10)
    journal.write(b"one\n")
    journal.begin(b"", 10)
    journal.close(keep=False)
    assert list(tmp_path.iterdir()) == [] and open_files() == before


def test_an_owner_that_lives_is_left_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"one\n", 10)
    assert left(tmp_path) == [None]
    journal.write(b"two\n")
    journal.close(keep=True)
    assert left(tmp_path) == [b"one\ntwo"]


def test_a_new_file_keeps_the_old_one_until_it_is_forgotten(tmp_path: Path) -> None:
    before = open_files()
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"one\n", 10)
    journal.begin(b"two\n", 10)
    journal.begin(b"three\n", 10)
    assert left(tmp_path) == [None] * 3
    journal.forget()
    assert len(orphans(tmp_path)) == 1
    journal.close(keep=True)
    assert left(tmp_path) == [b"three"] and open_files() == before


def test_what_is_kept_stays_until_the_process_ends(tmp_path: Path) -> None:
    before = open_files()
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"needed\n", 10)
    journal.begin(b"two\n", 10)
    journal.keep()
    journal.forget()
    assert left(tmp_path) == [None, None], "and nobody may take it over before"
    journal.close(keep=False)
    assert left(tmp_path) == [b"needed"] and open_files() == before


@pytest.mark.parametrize("size", [1, ROOM, 3 * ROOM])
def test_there_is_room_for_what_it_was_begun_for(size: int, tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"x" * (size - 1) + b"\n", size)
    assert journal.has_room(size)
    journal.write(b"y" * (size - 1) + b"\n")
    journal.close(keep=True)
    assert left(tmp_path) == [b"x" * (size - 1) + b"\n" + b"y" * (size - 1)]


def test_it_may_be_full_to_the_last_byte(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 64)
    journal.begin(b"", 4)
    for _ in range(16):
        assert journal.has_room(4)
        journal.write(b"abc\n")
    assert not journal.has_room(1)
    journal.close(keep=True)
    assert left(tmp_path) == [b"abc\n" * 16]


def test_a_line_counts_when_its_newline_is_there(tmp_path: Path) -> None:
    whole = b"one\ntwo\n"
    for size in range(len(whole) + 1):
        (tmp_path / "1-a-0.jsonl").write_bytes(whole[:size].ljust(64, b"\0"))
        expected = whole[:size].rpartition(b"\n")[0]
        assert left(tmp_path) == [expected], size


def test_a_hole_ends_what_can_be_read(tmp_path: Path) -> None:
    """Memory is not always written front to back."""
    (tmp_path / "1-a-0.jsonl").write_bytes(b"one\ntw\0\nthree\n".ljust(64, b"\0"))
    assert left(tmp_path) == [b"one"]


def test_without_a_folder_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    assert orphans(tmp_path / "none") == []


def test_what_fails_while_it_is_taken_over_leaves_it_there(tmp_path: Path) -> None:
    (tmp_path / "1-a-0.jsonl").write_bytes(b"one\n\0")
    with pytest.raises(OSError, match="full"), taken_over(tmp_path / "1-a-0.jsonl"):
        raise OSError("full")
    assert left(tmp_path) == [b"one"]


def test_a_file_that_has_just_gone_is_nobodys(tmp_path: Path) -> None:
    with taken_over(tmp_path / "1-a-0.jsonl") as content:
        assert content is None


def test_no_room_on_the_disk_is_noticed_when_it_is_begun(tmp_path: Path) -> None:
    before = open_files()
    journal = Journal(tmp_path, 2**62)
    with pytest.raises(OSError, match=r"[Ff]ile too large|[Nn]o space"):
        journal.begin(b"one\n", 10)
    assert list(tmp_path.iterdir()) == [] and open_files() == before
    assert not journal.has_room(1)


def test_where_a_new_file_cannot_be_begun_the_old_one_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"one\n", 10)
    with pytest.raises(OSError, match=r"[Ff]ile too large|[Nn]o space"):
        journal.begin(b"two\n", 2**60)
    assert journal.has_room(10)
    journal.write(b"three\n")
    journal.close(keep=True)
    assert left(tmp_path) == [b"one\nthree"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((NotADirectoryError, FileExistsError)):
        Journal(tmp_path / "file", ROOM).begin(b"", 1)


def test_only_one_at_a_time_takes_over(tmp_path: Path) -> None:
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(20):
            with one_at_a_time(tmp_path):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_kill_9_takes_no_line_with_it(tmp_path: Path) -> None:
    """Each line is acknowledged only after it was written; all that were must be there, whole and in order."""
    script = (
        "import sys; from pathlib import Path; from llmops.store.journal import Journal\n"
        f"journal = Journal(Path({str(tmp_path)!r}), 1_000_000)\n"
        "journal.begin(b'', 1)\n"
        "for number in range(10_000):\n"
        "    journal.write(b'%d %s\\n' % (number, b'x' * 50)); print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        acknowledged = -1
        while acknowledged < 200:
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
    (content,) = left(tmp_path)
    assert content is not None
    numbers = [int(line.split()[0]) for line in content.splitlines()]
    assert numbers == list(range(len(numbers))) and len(numbers) > acknowledged


# --- files made ahead -------------------------------------------------------------------------------------------------


def names(folder: Path, suffix: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"*{suffix}"))


def test_a_file_that_was_prepared_is_the_next_one(tmp_path: Path) -> None:
    before = open_files()
    journal = Journal(tmp_path, ROOM)
    assert not journal.is_unprepared, "none is needed before there is one"
    journal.begin(b"one\n", 10)
    assert journal.is_unprepared
    journal.prepare()
    journal.prepare()
    (spare,) = tmp_path.glob("*.new")
    inode = spare.stat().st_ino
    assert not journal.is_unprepared and len(orphans(tmp_path)) == 1, "nobody takes it for a journal"
    journal.begin(b"two\n", 10)
    assert inode in {path.stat().st_ino for path in orphans(tmp_path)} and names(tmp_path, ".new") == []
    journal.write(b"three\n")
    journal.prepare()
    journal.close(keep=True)
    assert left(tmp_path) == [b"one", b"two\nthree"] and list(tmp_path.iterdir()) == [] and open_files() == before


def test_what_is_forgotten_is_swept_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    for _ in range(3):
        journal.begin(b"one\n", 10)
        journal.prepare()
    before = open_files()
    journal.forget()
    assert len(orphans(tmp_path)) == 1 and journal.is_unprepared
    journal.sweep()
    assert open_files() == before - 4 and not journal.is_unprepared, "a file and its mapping, twice"
    journal.close(keep=False)


def test_one_that_is_too_small_waits_for_its_turn(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"", 1)
    journal.prepare()
    journal.begin(b"x" * ROOM + b"\n", 10)
    assert len(names(tmp_path, ".new")) == 1
    journal.begin(b"small\n", 10)
    assert names(tmp_path, ".new") == []
    journal.close(keep=False)


def test_one_that_somebody_has_removed_is_made_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.begin(b"one\n", 10)
    journal.prepare()
    for path in tmp_path.glob("*.new"):
        path.unlink()
    journal.begin(b"two\n", 10)
    journal.close(keep=True)
    assert left(tmp_path) == [b"one", b"two"]


def test_one_that_a_dead_process_had_prepared_is_removed(tmp_path: Path) -> None:
    living = Journal(tmp_path, ROOM)
    living.begin(b"", 1)
    living.prepare()
    (kept,) = names(tmp_path, ".new")
    (tmp_path / "1-a-1.new").write_bytes(b"two\n\0")
    remove_unused(tmp_path)
    assert names(tmp_path, ".new") == [kept]
    living.close(keep=False)


def test_files_are_prepared_beside_the_writing(tmp_path: Path) -> None:
    """Whatever the thread is at: no line is lost, and nobody who tidies up takes what is in use."""
    journal, done = Journal(tmp_path, ROOM), threading.Event()

    def repeat(*steps: Callable[[], None]) -> None:
        while not done.is_set():
            for step in steps:
                step()

    threads = [
        threading.Thread(target=repeat, args=(journal.prepare, journal.sweep)),
        threading.Thread(target=repeat, args=(lambda: remove_unused(tmp_path),)),
    ]
    for thread in threads:
        thread.start()
    for number in range(300):
        journal.begin(b"%d\n" % number, 10)
        journal.write(b"line of %d\n" % number)
        journal.forget()
        (path,) = orphans(tmp_path)
        assert path.read_bytes().rstrip(b"\0") == b"%d\nline of %d\n" % (number, number)
    done.set()
    for thread in threads:
        thread.join()
    journal.close(keep=True)
    assert left(tmp_path) == [b"299\nline of 299"] and list(tmp_path.iterdir()) == []
