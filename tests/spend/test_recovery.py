"""After a crash every call that was reserved is in the log once: not lost, not doubled, however the crash came."""

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmops.clock import ManualClock
from llmops.spend.entry import Opened
from llmops.spend.recovery import CRASHED, Recovered, recover
from llmops.telemetry.log_file import LogFile
from llmops.telemetry.record import CallRecord
from tests.serving import Server, free_port, running, until
from tests.spend.till import UNPRICED, Till, a_call, answer, log_file, logged, uncounted

NOW_S = 1_700_000_100.0
RESERVED = 100 * 150 + 100 * 600


def known(folder: Path) -> list[Recovered]:
    """Recover; returns what is known of every call."""
    with closing(log_file(folder)) as file:
        return recover(folder / "journal", file, NOW_S)


def bring_back(folder: Path) -> list[Recovered]:
    """Recover; returns what the log lacked."""
    return [call for call in known(folder) if call.entered]


def ids(folder: Path) -> Counter[str]:
    return Counter(line["request_id"][-1] for line in logged(folder))


def crashed(folder: Path) -> Till:
    """A process that died with call 1 on disk, call 2 ended, call 3 under way."""
    till = Till(folder)
    calls = [till.admit(a_call(number, user="ann", tags={"feature": "x"}, key_id="k")) for number in (1, 2, 3)]
    till.end(calls[0], reply=answer(10, 20))
    till.log.write()
    till.end(calls[1], reply=answer(1, 2))
    till.die()
    return till


def test_each_call_is_charged_what_is_known_of_it(tmp_path: Path) -> None:
    crashed(tmp_path)
    found = bring_back(tmp_path)
    assert [(each.request_id[-1], each.tokens, each.nanousd) for each in found] == [
        ("2", 3, 1350),
        ("3", 200, RESERVED),
    ]
    assert ids(tmp_path) == {"1": 1, "2": 1, "3": 1}
    third = logged(tmp_path)[2]
    msgspec.convert(third, CallRecord)
    assert third["recovered"] and (third["error_type"], third["status"]) == (CRASHED, 500)
    assert third["token_usage"] == {**third["token_usage"], "prompt": 100, "completion": 100, "source": "estimated"}
    assert (third["cost_nanousd"], third["reserved_nanousd"]) == (RESERVED, RESERVED)
    assert (third["user"], third["key_id"], third["tags"], third["model"]) == ("ann", "k", {"feature": "x"}, "m")
    assert not any(line["recovered"] for line in logged(tmp_path)[:2])


def test_an_unpriced_call_stays_unpriced(tmp_path: Path) -> None:
    till = Till(tmp_path)
    till.admit(a_call(asks_for="nobody-knows"), [UNPRICED])
    till.die()
    (found,) = bring_back(tmp_path)
    assert found.nanousd == 0 and logged(tmp_path)[0]["cost_nanousd"] is None


def test_a_rollouts_call_keeps_its_arm(tmp_path: Path) -> None:
    """Else a candidate that makes the gateway crash would leave no trace in the evidence."""
    till = Till(tmp_path)
    assigned = {"rollout_id": "ro-1", "arm": "candidate", "probability": 0.25, "session": "s"}
    till.admit(a_call(1, **assigned))
    till.end(till.admit(a_call(2, **assigned)), reply=answer(1, 2))
    till.admit(a_call(3))
    till.die()
    found = {each.request_id[-1]: each.unfinished for each in bring_back(tmp_path)}
    assert found["1"] is not None and found["2"] is None and found["3"] is None
    assert {name: getattr(found["1"], name) for name in assigned} == assigned
    first, second, third = sorted(logged(tmp_path), key=lambda line: str(line["request_id"]))
    assert {name: first[name] for name in assigned} == assigned == {name: second[name] for name in assigned}
    assert "arm" not in third


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    crashed(tmp_path)
    shutil.copytree(tmp_path / "journal", tmp_path / "copy")
    assert len(bring_back(tmp_path)) == 2
    assert bring_back(tmp_path) == []
    shutil.rmtree(tmp_path / "journal")
    (tmp_path / "copy").rename(tmp_path / "journal")  # as if it had died before it could remove them
    assert bring_back(tmp_path) == []
    assert ids(tmp_path) == {"1": 1, "2": 1, "3": 1}
    assert list((tmp_path / "journal").glob("*.jsonl")) == []


def test_without_anything_left_nothing_is_made(tmp_path: Path) -> None:
    assert bring_back(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_lives_is_left_alone(tmp_path: Path) -> None:
    till = Till(tmp_path)
    call = till.admit(a_call(1))
    assert bring_back(tmp_path) == []
    till.end(call, reply=answer(1, 1))
    till.log.write()
    till.ledger.close()
    assert ids(tmp_path) == {"1": 1}


# --- a crash at every byte --------------------------------------------------------------------------------------------


def moments(content: bytes) -> list[int]:
    """Every byte around the end of a line, and every seventh between."""
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    near = {size for end in ends for size in range(end - 3, end + 6)}
    return sorted(size for size in near | set(range(0, len(content), 7)) if 0 <= size <= len(content))


class Death:
    """The journal and the log of a short life, and what of them was on disk at each moment of it."""

    def __init__(self, folder: Path) -> None:
        till = Till(folder, room_bytes=16_384)
        calls = [till.admit(a_call(number)) for number in (1, 2)]
        till.end(calls[0], reply=answer(10, 20))
        calls.append(till.admit(a_call(3)))
        till.end(calls[2], reply=uncounted(40))
        till.end(calls[1], reply=answer(1, 1))
        till.admit(a_call(4))
        self.lines = list(till.log.lines)
        (path,) = (folder / "journal").iterdir()
        self.journal = path.read_bytes().rstrip(b"\0")
        till.die()
        shutil.rmtree(folder / "journal")

    def of_length(self, size: int) -> tuple[set[str], list[bytes]]:
        """Who is known to a journal of that many bytes, and which lines of the log may have been written by then."""
        whole = self.journal[:size].rpartition(b"\n")[0].splitlines(keepends=False)
        decoded = [json.loads(line) for line in whole]
        return {line["request_id"][-1] for line in decoded if "request_id" in line}, [
            line for line in self.lines if line.rstrip() in whole
        ]


@pytest.mark.parametrize("zeros", [True, False], ids=["room beyond", "cut off"])
def test_a_crash_at_any_byte_of_the_journal(zeros: bool, tmp_path: Path) -> None:
    death = Death(tmp_path)
    for size in moments(death.journal):
        known, lines = death.of_length(size)
        for written in {0, len(lines) // 2, len(lines)}:
            folder = tmp_path / "then"
            (folder / "journal").mkdir(parents=True)
            content = death.journal[:size] + (b"\0" * 64 if zeros else b"")
            (folder / "journal" / "1-a-0.jsonl").write_bytes(content)
            (folder / "gateway.jsonl").write_bytes(b"".join(lines[:written]))
            bring_back(folder)
            found = logged(folder)
            seen = {line["request_id"][-1] for line in found}
            assert len(seen) == len(found), f"doubled at {size}"
            # Where nothing follows, the last line may lack its newline only.
            assert known <= seen <= known | ({"1", "2", "3", "4"} if not zeros else set()), f"lost at {size}"
            ended = {json.loads(line)["request_id"] for line in lines}
            assert {line["request_id"] for line in found if not line["recovered"]} >= ended
            shutil.rmtree(folder)


def test_a_crash_at_any_byte_of_the_log(tmp_path: Path) -> None:
    """The kernel may cut a write of many pages short: half a line is no line, and spoils none after it."""
    death = Death(tmp_path)
    content = b"".join(death.lines)
    for size in moments(content):
        folder = tmp_path / "then"
        (folder / "journal").mkdir(parents=True)
        (folder / "journal" / "1-a-0.jsonl").write_bytes(death.journal + b"\0" * 64)
        (folder / "gateway.jsonl").write_bytes(content[:size])
        bring_back(folder)
        assert ids(folder) == {"1": 1, "2": 1, "3": 1, "4": 1}, size
        shutil.rmtree(folder)


def test_a_line_that_nobody_can_read_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    till = Till(tmp_path)
    till.admit(a_call(1))
    till.journal.write(b'{"entry":"reserved"}\n' + b"\xff\xfe\n" + b"[1]\n")
    till.admit(a_call(2))
    till.die()
    bring_back(tmp_path)
    assert ids(tmp_path) == {"1": 1, "2": 1}
    assert caplog.text.count("cannot be read and is left out") == 3


# --- several at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("_turn", range(5))
def test_two_at_once(_turn: int, tmp_path: Path) -> None:
    """Also where the reservation is in one file of a process and the settlement in another."""
    for prefix in (1, 2, 3):
        till = Till(tmp_path, room_bytes=2500)
        open_call = till.admit(a_call(prefix * 1000))
        for number in range(5):
            till.end(till.admit(a_call(prefix * 1000 + 1 + number)), reply=answer(1, 1))
        till.end(open_call, reply=answer(2, 2))
        till.die()
    assert len(list((tmp_path / "journal").glob("*.jsonl"))) > 3
    start = threading.Barrier(4)
    found: list[Recovered] = []

    def one() -> None:
        start.wait()
        found.extend(bring_back(tmp_path))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = logged(tmp_path)
    assert len(lines) == len({line["request_id"] for line in lines}) == len(found) == 18
    assert not any(line["recovered"] for line in lines)


def test_a_rolled_journal_knows_the_calls_that_were_open(tmp_path: Path) -> None:
    till = Till(tmp_path, room_bytes=2500)
    till.admit(a_call(1))
    for number in range(2, 10):
        till.end(till.admit(a_call(number)), reply=answer(1, 1))
        till.log.write()
        till.ledger.tidy()
    till.die()
    assert [each.request_id[-1] for each in bring_back(tmp_path)] == ["1"]
    assert all(count == 1 for count in ids(tmp_path).values()) and len(ids(tmp_path)) == 9


# --- what happens to the log meanwhile --------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_the_log_may_have_been_rotated_meanwhile(times: int, tmp_path: Path) -> None:
    till = Till(tmp_path)
    for number in range(1, 5):
        till.end(till.admit(a_call(number)), reply=answer(1, 1))
    till.log.write(2)
    till.log.file.close()
    for turn in range(times):
        (tmp_path / "gateway.jsonl").rename(tmp_path / f"gateway-2023111{turn}T000000000000.jsonl")
        till.log.write(1)
        till.log.file.close()
    till.die()
    assert len(bring_back(tmp_path)) == 2 - times
    assert ids(tmp_path) == {"1": 1, "2": 1, "3": 1, "4": 1}


@contextmanager
def aged(path: Path, seconds: float) -> Iterator[None]:
    yield
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + seconds))


@pytest.mark.parametrize("rotated", [False, True])
def test_a_clock_that_was_set_back_doubles_nothing(rotated: bool, tmp_path: Path) -> None:
    clock = ManualClock(time.time() + 7200)  # an hour or two ahead when the journal was begun
    log_file(tmp_path).append(b"", 0.0)
    till = Till(tmp_path, clock=clock)
    till.end(till.admit(a_call(1)), reply=answer(1, 1))
    till.log.write()  # at the right time
    if rotated:
        (tmp_path / "gateway.jsonl").rename(tmp_path / "gateway-20231114T000000000000.jsonl")
    till.die()
    assert bring_back(tmp_path) == []


def test_logs_of_long_ago_are_not_read(tmp_path: Path) -> None:
    old = tmp_path / "gateway-20200101T000000000000.jsonl"
    till = Till(tmp_path)
    till.end(till.admit(a_call(1)), reply=answer(1, 1))
    old.write_bytes(till.log.lines[0])  # as if the same call were there, which can only be seen by reading
    with aged(old, -10 * 365 * 86400):
        pass
    till.die()
    assert len(bring_back(tmp_path)) == 1


def test_only_what_is_new_in_a_long_log_is_read(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    file.append(b"x" * 1_000_000 + b"\n", 0.0)
    till = Till(tmp_path)
    till.admit(a_call(1))
    journal = next((tmp_path / "journal").iterdir()).read_bytes()
    opened = msgspec.json.decode(journal.splitlines()[0], type=Opened)
    assert (opened.log_size, opened.log_inode) == (1_000_001, (tmp_path / "gateway.jsonl").stat().st_ino)
    till.die()
    assert len(bring_back(tmp_path)) == 1


def test_a_log_that_was_cut_meanwhile_is_read_from_its_start(tmp_path: Path) -> None:
    log_file(tmp_path).append(b"x" * 10_000 + b"\n", 0.0)
    till = Till(tmp_path)
    till.end(till.admit(a_call(1)), reply=answer(1, 1))
    (tmp_path / "gateway.jsonl").write_bytes(b"")
    till.log.write()
    till.die()
    assert bring_back(tmp_path) == []


def test_a_log_that_cannot_be_written_keeps_the_journals(tmp_path: Path) -> None:
    crashed(tmp_path)
    blocked = LogFile(tmp_path / "journal" / "gateway.jsonl" / "x", rotate_bytes=1, rotate_age_s=1)
    (tmp_path / "journal" / "gateway.jsonl").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        recover(tmp_path / "journal", blocked, NOW_S)
    (tmp_path / "journal" / "gateway.jsonl").unlink()
    assert len(bring_back(tmp_path)) == 2


# --- a gateway that is killed -----------------------------------------------------------------------------------------

CONFIG = """
models:
  slow: [{provider: mock, mock: {tokens_per_second: 20, words: 200}}]
log: {flush_milliseconds: 50}
"""


def records(folder: Path) -> list[dict[str, Any]]:
    return logged(folder / "runs" / "logs")


def test_kill_9_of_a_gateway(tmp_path: Path) -> None:
    """Streams under way, calls that have just ended: all are in the log once, charged, after the next start."""
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)

    def command(port: int) -> list[str]:
        return ["-m", "llmops", "serve", "--config", str(file), "--port", str(port)]

    seen: list[str] = []
    with running(command(port := free_port()), tmp_path, port) as server:
        seen += [str(server.chat("mock").headers["x-request-id"]) for _ in range(20)]
        threads = [threading.Thread(target=stream, args=(server, seen)) for _ in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: len(seen) == 25, "five streams")
        seen += [str(server.chat("mock").headers["x-request-id"]) for _ in range(5)]
        server.signal(signal.SIGKILL)
        server.wait()
        for thread in threads:
            thread.join()
    with running(command(port := free_port()), tmp_path, port):
        lines = records(tmp_path)
        assert Counter(line["request_id"] for line in lines) == Counter(seen)
        unfinished = Counter(line["model"] for line in lines if line["recovered"])
        assert unfinished["slow"] == 5 and unfinished["mock"] <= 5, "a call's line is made right after its answer"
        assert all(line["cost_nanousd"] > 0 for line in lines)
    assert len(records(tmp_path)) == len(seen)


def stream(server: Server, seen: list[str]) -> None:
    try:
        with server.stream("slow", stream=True) as response:
            seen.append(response.headers["x-request-id"])
            response.read()
    except (OSError, http.client.HTTPException):  # it is killed in the middle
        pass
