"""The spool: what was kept is read, in order and whole, however its writer ended; what is damaged is told."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.telemetry.traces.spool import Spool, SpoolFull, waiting_bytes
from llmops.telemetry.traces.spool_frames import HEAD
from llmops.telemetry.traces.spool_reader import Chunk, SpoolReader
from tests.serving import ROOT, environment


def append(spool: Spool, body: bytes, tenant: str = "acme", spans: int = 1) -> None:
    spool.append(tenant, "protobuf", body, spans=spans, received_us=5)


def drained(reader: SpoolReader, limit_bytes: int = 1000) -> list[Chunk]:
    chunks = []
    while (chunk := reader.next_chunk(limit_bytes, reader.names())) is not None:
        chunks.append(chunk)
        reader.advance(chunk)
    return chunks


def bodies(chunks: list[Chunk]) -> list[bytes]:
    return [frame.body for chunk in chunks for frame in chunk.frames]


def test_frames_come_back_in_order_over_several_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6, file_bytes=500)
    written = [b"%d" % number * (number % 90) for number in range(100)]
    for body in written:
        append(spool, body)
    reader = SpoolReader(tmp_path)
    assert len(reader.names()) > 5
    assert sum(reader.waiting(name) for name in reader.names()) == 100
    assert bodies(drained(reader)) == written
    assert drained(reader) == []
    assert sum(reader.waiting(name) for name in reader.names()) == 0
    last = reader.names()[-1]
    reader.remove(reader.finished(reader.names()))
    assert reader.names() == [last], "its writer may go on"
    spool.close()
    reader.remove(reader.finished(reader.names()))
    assert reader.names() == []


def test_a_frame_larger_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**8)
    append(spool, b"x" * 5_000_000)
    append(spool, b"y")
    assert [len(body) for body in bodies(drained(SpoolReader(tmp_path), 100))] == [5_000_000, 1]


def test_it_says_whose_they_are(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    spool.append("tenänt", "json", b"{}", spans=7, received_us=2**60)
    [chunk] = drained(SpoolReader(tmp_path))
    [frame] = chunk.frames
    assert (frame.tenant, frame.encoding, frame.spans, frame.received_us) == ("tenänt", "json", 7, 2**60)


def test_a_full_spool_keeps_nothing_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=1000, file_bytes=250)
    kept = 0
    with pytest.raises(SpoolFull) as refused:
        for number in range(100):
            append(spool, b"z" * 100, tenant=f"t{number}")
            kept += 1
    assert refused.value.reason == "spool_full"
    assert 5 <= kept <= 9
    assert len(bodies(drained(SpoolReader(tmp_path)))) == kept


def test_a_damaged_frame_is_told_and_stepped_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    for body in (b"first", b"second", b"third"):
        append(spool, body, spans=3)
    spool.close()
    [path] = tmp_path.glob("*.spool")
    content = bytearray(path.read_bytes())
    content[content.index(b"second")] ^= 1
    path.write_bytes(content)
    [chunk] = drained(SpoolReader(tmp_path))
    assert (bodies([chunk]), chunk.damaged, len(chunk.notices)) == ([b"first", b"third"], 3, 1)


@pytest.mark.parametrize("cut", [1, HEAD.size - 1, HEAD.size + 2])
def test_a_torn_end_was_never_answered_for(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    append(spool, b"whole")
    append(spool, b"torn, for its writer died")
    spool.close()
    [path] = tmp_path.glob("*.spool")
    whole = HEAD.size + len(b"acme") + len(b"whole")
    os.truncate(path, whole + cut)
    reader = SpoolReader(tmp_path)
    chunks = drained(reader)
    assert (bodies(chunks), sum(chunk.damaged for chunk in chunks)) == ([b"whole"], 0)
    assert len(chunks[-1].notices) == 1
    reader.remove(reader.finished(reader.names()))
    assert reader.names() == []


def test_garbage_in_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "1-1-x.spool").write_bytes(b"garbage" * 100)
    [chunk] = drained(SpoolReader(tmp_path))
    assert (chunk.frames, len(chunk.notices), chunk.end) == ([], 1, 700)


def test_what_a_killed_process_was_told_is_kept_is_there(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from llmops.telemetry.traces.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), limit_bytes=10**9)\n"
        "for number in range(10**9):\n"
        "    spool.append('t', 'protobuf', b'%d' % number * 500, spans=1, received_us=1); print(number, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], env=environment(), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = 50 + len(process.stdout.read().splitlines())
    process.wait()
    process.stdout.close()
    found = bodies(drained(SpoolReader(tmp_path)))
    assert told <= len(found) <= told + 1
    assert found == [b"%d" % number * 500 for number in range(len(found))]


def test_a_full_disk_leaves_no_half_frame(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the write that crosses it is cut short."""
    script = (
        "import sys, resource, signal; from pathlib import Path; from llmops.telemetry.traces.spool import Spool\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))\n"
        "spool, kept = Spool(Path(sys.argv[1]), limit_bytes=10**9), 0\n"
        "for _ in range(30):\n"
        "    try: spool.append('t', 'protobuf', b'x' * 900, spans=1, received_us=1); kept += 1\n"
        "    except OSError: pass\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "spool.append('t', 'protobuf', b'again', spans=1, received_us=1); print(kept)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    chunks = drained(SpoolReader(tmp_path))
    assert [body[:5] for body in bodies(chunks)] == [b"xxxxx"] * int(done.stdout) + [b"again"]
    assert [chunk.notices for chunk in chunks if chunk.notices] == []
    assert waiting_bytes(tmp_path) > 0


def test_a_frame_that_the_disk_refuses_to_sync_is_not_kept(tmp_path: Path) -> None:
    """A power cut needs a machine; here are the calls that the promise is made of, and a disk that breaks it."""
    spool = Spool(tmp_path, limit_bytes=10**6, fsync=True)
    append(spool, b"one")
    pipe, other = os.pipe()  # cannot be synced
    file = os.dup(spool._fd)  # type: ignore[arg-type]
    os.dup2(other, spool._fd)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="Invalid"):
        append(spool, b"two")
    for each in (pipe, other, file):
        os.close(each)
    append(spool, b"three")
    assert bodies(drained(SpoolReader(tmp_path))) == [b"one", b"three"]
    assert len(list(tmp_path.glob("*.spool"))) == 2, "a file whose state nobody knows is not written to again"
