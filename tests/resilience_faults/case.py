"""One fault in one form of an answer, played so many times, and the promises that were not kept."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmops.dev.faults import FAULTS, Fault, FaultServer

from .caller import Caller, Seen
from .verdict import Given, Verdict, judge

_SUCCESS = 0.999
_HEAVY_SHARE = 10
"""Faults that cost megabytes a call are played so many times less often."""


@dataclass
class Result:
    """What the clients of one case were given."""

    fault: Fault
    stream: bool
    struck: int = 0
    """How often the fault really struck: a gateway stops asking who always fails."""
    given: Counter[Given] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    """From the last word that came to the explicit error, of those that were told so in a stream."""
    late: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Examples of what should not have been given."""
    asked: int = 0
    """Requests that reached the upstream, struck and in health, where nobody else asks that server meanwhile."""
    healthy: int = 0
    """Those of them that were answered in health: with a fallback, what the fallback was asked."""

    @property
    def name(self) -> str:
        return f"{self.fault.name}, {'stream' if self.stream else 'complete'}"

    @property
    def calls(self) -> int:
        return self.given.total()

    def problems(self, *, fallback: bool) -> Iterator[str]:
        """What was promised and not kept. ``fallback``: whether a healthy deployment stood behind the faulty one."""
        expected = self.fault.expectation(stream=self.stream)
        whole, error = self.given["whole"], self.given["error"]
        for bad in ("hung", "broken"):
            if self.given[bad]:
                yield f"{self.name}: {self.given[bad]} of {self.calls} calls {bad}, e.g. {self.wrong[0]}"
        if expected == "pass" or (expected == "fallback" and fallback):
            if whole < _SUCCESS * self.calls:
                yield f"{self.name}: {whole} of {self.calls} calls succeeded, e.g. {self.wrong[:1]}"
        elif expected == "fallback" and whole:
            yield f"{self.name}: {whole} calls came out whole, so the fault did not strike"
        elif expected == "error" and fallback and error + whole == self.calls and error <= self.struck:
            return  # what broke before its first content reached anybody was made good elsewhere
        elif expected == "error" and self.fault.name != "dns-failure" and error != self.struck:
            yield f"{self.name}: it struck {self.struck} times and {error} clients were told"
        yield from self.late


@dataclass(frozen=True)
class Play:
    """How cases are played. ``idle_s`` is the gateway's limit on silence, ``slack_s`` what an error may take longer."""

    caller: Caller
    server: FaultServer
    idle_s: float
    calls: int = 10
    at_once: int = 5
    slack_s: float = 0.1

    async def case(self, fault: Fault, *, stream: bool, model: str | None = None) -> Result:
        """``model`` is the gateway's name for the deployments that this fault strikes; default: the fault's."""
        result = Result(fault, stream)
        tally = self.server.tally
        struck, asked, healthy = tally.struck[fault.name], tally.requests, tally.healthy
        calls = max(1, self.calls // _HEAVY_SHARE) if fault.heavy else self.calls
        left = iter(range(calls))

        async def client() -> None:
            for _ in left:
                seen = await self.caller.call(model or fault.name, stream=stream)
                self._note(result, seen, judge(seen, self.server.rehearsal.words))

        await asyncio.gather(*(client() for _ in range(1 if fault.heavy else min(self.at_once, calls))))
        result.struck, result.asked = tally.struck[fault.name] - struck, tally.requests - asked
        result.healthy = tally.healthy - healthy
        return result

    def _note(self, result: Result, seen: Seen, verdict: Verdict) -> None:
        result.given[verdict.given] += 1
        result.seconds.append(seen.seconds)
        if verdict.given != "whole":
            result.wrong.append(verdict.why)
        after_commit = verdict.given == "error" and seen.status == 200
        if after_commit:
            result.silences.append(seen.quiet_s)
        if after_commit and seen.quiet_s > self.idle_s + self.slack_s:
            result.late.append(f"{result.name}: the error came {seen.quiet_s:.2f} s after the last word")
        if verdict.given == "error" and (seen.status == 200) != (len(seen.words) > 0):
            result.late.append(f"{result.name}: status {seen.status} after {len(seen.words)} words")


def forms(fault: Fault) -> Iterator[bool]:
    """The forms of an answer that a fault exists in: True is a stream."""
    return (stream for stream in (True, False) if fault.expectation(stream=stream))


async def play_all(play: Play, faults: list[Fault] | None = None, *, together: int = 8) -> list[Result]:
    """Every fault in all its forms, so many faults at the same time."""
    room = asyncio.Semaphore(together)

    async def one(fault: Fault) -> list[Result]:
        async with room:
            return [await play.case(fault, stream=stream) for stream in forms(fault)]

    groups = await asyncio.gather(*(one(fault) for fault in faults or FAULTS.values()))
    return [result for group in groups for result in group]
