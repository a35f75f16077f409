"""How busy the process is: the loop's lag, weighed by the processor time it had, and memory against every limit."""

import asyncio
from pathlib import Path

import pytest

from llmops.gateway.load_sampler import LoadSampler, Memory

GIB = 2**30
PAGE = 4096


class Machine:
    """Clocks that jump by what is given, look by look; a sampler reads each at the beginning of a wait and at
    its end."""

    def __init__(self, *looks: tuple[float, float]) -> None:
        self._s = iter([each for wall_s, _ in looks for each in (0.0, wall_s)])
        self._cpu_s = iter([each for _, cpu_s in looks for each in (0.0, cpu_s)])

    def now_s(self) -> float:
        return next(self._s, 0.0)

    def cpu_s(self) -> float:
        return next(self._cpu_s, 0.0)


async def test_lag_counts_as_far_as_the_loop_had_the_processor() -> None:
    machine, seen = Machine((0.5, 0.5), (0.5, 0.125)), list[tuple[float, float, float]]()
    sampler = LoadSampler(
        lambda *sample: seen.append(sample), machine.now_s, lambda: 0.5, cpu_s=machine.cpu_s, period_s=0.1
    )
    await sampler.start()
    async with asyncio.timeout(10):
        while len(seen) < 3:
            await asyncio.sleep(0.01)
    await sampler.aclose()
    assert [(round(lag_s, 6), share) for _, lag_s, share in seen[:3]] == [(0.4, 0.5), (0.1, 0.5), (0.0, 0.5)]
    await sampler.aclose()
    count = len(seen)
    await asyncio.sleep(0.2)
    assert len(seen) == count, "it has stopped"


async def test_a_loop_that_is_held_up_is_seen() -> None:
    lags: list[float] = []
    loop = asyncio.get_running_loop()
    sampler = LoadSampler(lambda _, lag_s, __: lags.append(lag_s), loop.time, lambda: 0.0)
    await sampler.start()
    async with asyncio.timeout(10):
        while max(lags, default=0.0) < 0.02:
            sum(range(1_000_000))
            await asyncio.sleep(0)
    await sampler.aclose()


def machine(root: Path, files: dict[str, str]) -> Path:
    given = {"proc/meminfo": "MemTotal: 8388608 kB\n", "proc/self/statm": f"9 {GIB // PAGE} 9", **files}
    for name, text in given.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({}, 1 / 8),
        ({"sys/fs/cgroup/memory.max": f"{2 * GIB}\n"}, 1 / 2),
        ({"sys/fs/cgroup/memory.max": "max\n"}, 1 / 8),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": f"{4 * GIB}",
                "sys/fs/cgroup/a/b/memory.max": "max",
            },
            1 / 4,
        ),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}"}, 1 / 2),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}, 1 / 8),
        (
            {
                "proc/self/cgroup": "4:cpu:/no\n3:memory,x:/kube/pod\n",
                "sys/fs/cgroup/memory/kube/pod/memory.limit_in_bytes": f"{4 * GIB}",
            },
            1 / 4,
        ),
        ({"proc/self/cgroup": "0::/../../x\nnonsense\n"}, 1 / 8),
        ({"proc/self/statm": "garbage"}, 0.0),
        ({"proc/meminfo": "MemTotal: many kB"}, 0.0),
    ],
)
def test_the_tightest_limit_counts(files: dict[str, str], share: float, tmp_path: Path) -> None:
    found = Memory(machine(tmp_path, files)).share()
    assert found == pytest.approx(share * Memory(tmp_path)._page_bytes / PAGE)


def test_processes_share_a_limit(tmp_path: Path) -> None:
    root = machine(tmp_path, {})
    assert Memory(root, processes=4).share() == pytest.approx(4 * Memory(root).share())


def test_where_nothing_can_be_read_nothing_is_claimed(tmp_path: Path) -> None:
    assert Memory(tmp_path).share() == 0.0
