"""The time lapse: waiting is passed over, work is not, and the present is never overtaken."""

import asyncio

import pytest

from llmops.demo.time_lapse import LapseLoop, TimeLapse


class Machine:
    """Its clocks, moved by hand."""

    def __init__(self) -> None:
        self.at_s = 5000.0

    def lapse(self, behind_s: float = 3600.0, speed: float = 60.0) -> TimeLapse:
        lapse = TimeLapse(behind_s, speed, wall_s=lambda: 1e9 + self.at_s, real_s=lambda: self.at_s)
        lapse.begin()
        return lapse


def test_it_begins_in_the_past_and_jumps_towards_the_present() -> None:
    machine = Machine()
    lapse = machine.lapse()
    assert lapse.now_s() == 1e9 + 5000 - 3600 and lapse.played_s == 0
    began_s = lapse.monotonic_s()
    lapse.skip(600)
    machine.at_s += 2
    assert lapse.now_s() == 1e9 + 5002 - 3000 and lapse.monotonic_s() - began_s == lapse.played_s == 602
    lapse.skip(-5)
    lapse.skip(9999)
    assert lapse.behind_s == 0 and lapse.now_s() == 1e9 + 5002, "not ahead of the machine, and not back"
    assert lapse.wait_s(30) == 30, "the present is waited for as always"


def test_before_it_begins_everything_takes_its_time() -> None:
    lapse = TimeLapse(3600, 60)
    assert lapse.wait_s(30) == 30 and lapse.behind_s == 3600


def test_waits_keep_the_speed_over_the_whole() -> None:
    machine = Machine()
    lapse = machine.lapse()
    assert lapse.wait_s(60) == pytest.approx(1.0)
    machine.at_s += 1  # a second of work: a minute of the plan, of which one second is played
    assert lapse.wait_s(60) == pytest.approx(60 / 60 / 20), "behind the plan: as fast as it goes"
    lapse.skip(59 + 60)
    assert lapse.wait_s(60) == pytest.approx(2.0), "ahead of it"
    assert lapse.wait_s(0.01) == pytest.approx(0.01) and lapse.wait_s(1e-4) == 0.0
    lapse.stop()
    assert lapse.wait_s(60) == 60


def test_a_loop_sleeps_through_an_hour_in_order() -> None:
    lapse = TimeLapse(3600, 36_000)
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        begun_s = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        seen.append((name, asyncio.get_running_loop().time() - begun_s))

    async def night() -> None:
        lapse.begin()
        began_s = lapse.now_s()
        await asyncio.gather(sleeper("long", 3000), sleeper("short", 1.5), sleeper("nap", 600))
        assert lapse.now_s() - began_s >= 3000
        assert await asyncio.to_thread(lambda: "work") == "work", "threads are heard"
        await asyncio.sleep(lapse.behind_s + 0.05)

    with asyncio.Runner(loop_factory=lambda: LapseLoop(lapse)) as runner:
        runner.run(night())
    assert [name for name, _ in seen] == ["short", "nap", "long"]
    assert [took_s for _, took_s in seen] == [pytest.approx(each, abs=0.5) for each in (1.5, 600, 3000)]
    assert lapse.behind_s == 0
