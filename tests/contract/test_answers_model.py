"""Answers against a plain model: whatever is put, let go of, evicted and outlived, in whatever order, what comes back
is exactly what still counts. In-process with eviction, in Redis without."""

import asyncio
import time

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from llmops.clock import ManualClock
from llmops.store.answers.labels import Labels, Selector
from llmops.store.answers.local import LocalAnswers
from llmops.store.answers.redis import RedisAnswers

from ..store.redis_server import RedisServer
from .answering import Answering, redis_answers, redis_settings

OVERHEAD = 500
KEYS = st.sampled_from([b"k%d" % number for number in range(7)])
TENANTS, MODELS = st.sampled_from(["acme", "other"]), st.sampled_from(["m", "n"])
LABELS = st.builds(
    Labels,
    tenant=TENANTS,
    model=MODELS,
    knowledge=st.sampled_from([None, "k@1", "k@2"]),
    tags=st.sampled_from([(), ("a=1",), ("a=2", "b=1")]),
)
SELECTORS = st.builds(
    Selector,
    tenant=st.none() | TENANTS,
    model=st.none() | MODELS,
    knowledge=st.sampled_from([None, None, "k", "k@1"]),
    tag=st.sampled_from([None, None, "a", "a=1", "b"]),
)


class Exact:
    """All that was ever put and said, looked through anew for each question. Times are whole seconds."""

    def __init__(self, max_entries: int | None, max_bytes: int | None) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.kept: dict[bytes, tuple[bytes, Labels, float, float]] = {}
        """In the order of use."""
        self.words: list[tuple[float, Selector]] = []

    def get(self, key: bytes, now_s: float) -> bytes | None:
        if key not in self.kept:
            return None
        data, _, _, expires_s = entry = self.kept.pop(key)
        if expires_s <= now_s:
            return None
        self.kept[key] = entry
        return data

    def put(self, key: bytes, data: bytes, of: Labels, began_s: float, expires_s: float) -> None:
        if any(at_s >= began_s and selector.selects(of) for at_s, selector in self.words):
            return
        self.kept.pop(key, None)
        if self.max_bytes is not None and len(data) + OVERHEAD > self.max_bytes:
            return
        self.kept[key] = (data, of, began_s, expires_s)
        while self.kept and (
            (self.max_entries is not None and len(self.kept) > self.max_entries)
            or (self.max_bytes is not None and self.bytes > self.max_bytes)
        ):
            del self.kept[next(iter(self.kept))]

    @property
    def bytes(self) -> int:
        return sum(len(data) + OVERHEAD for data, *_ in self.kept.values())

    def invalidate(self, selector: Selector, now_s: float) -> int:
        self.words.append((now_s, selector))
        gone = [key for key, (_, of, *_) in self.kept.items() if selector.selects(of)]
        for key in gone:
            del self.kept[key]
        return len(gone)


class LocalMachine(RuleBasedStateMachine):
    """One store in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.answers = LocalAnswers(4, 3 * OVERHEAD + 1000, self.clock.now_s)
        self.exact = Exact(4, 3 * OVERHEAD + 1000)
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.loop.close()

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        assert self.answers.get(key) == self.exact.get(key, self.clock.now_s())

    @rule(
        key=KEYS,
        of=LABELS,
        data=st.sampled_from([b"", b"x", b"y" * 300, b"z" * 2000, b"l" * 3000]),
        took_s=st.integers(0, 50),
        keep_s=st.integers(-1, 100),
    )
    def put(self, key: bytes, of: Labels, data: bytes, took_s: int, keep_s: int) -> None:
        now_s = self.clock.now_s()
        self.answers.put(key, data, of, began_s=now_s - took_s, expires_s=now_s + keep_s)
        self.exact.put(key, data, of, now_s - took_s, now_s + keep_s)

    @rule(selector=SELECTORS)
    def invalidate(self, selector: Selector) -> None:
        gone = self.loop.run_until_complete(self.answers.invalidate(selector))
        assert gone == self.exact.invalidate(selector, self.clock.now_s())

    @invariant()
    def is_as_full_as_the_model(self) -> None:
        view = self.answers.view()
        assert (view.entries, view.bytes) == (len(self.exact.kept), self.exact.bytes)


TestLocal = LocalMachine.TestCase
TestLocal.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


class RedisMachine(RuleBasedStateMachine):
    """Two processes' stores over one Redis, each putting, asking and invalidating, and one model of both."""

    server: RedisServer
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(float(int(time.time())))
        namespace = redis_settings(self.server)
        stores = [redis_answers(namespace, self.clock) for _ in range(2)]
        self.doors = [Answering(answers, self.clock) for answers in stores]
        self.exact = Exact(None, None)
        for answers in stores:
            self.runner.run(answers.start())
        self.clock.advance(1)

    def teardown(self) -> None:
        for door in self.doors:
            assert isinstance(door.answers, RedisAnswers)
            self.runner.run(door.answers.aclose())
            assert (door.answers.lost_times, door.answers.puts_dropped, door.answers.problems()[1:]) == (0, 0, [])

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(key=KEYS, door=st.integers(0, 1))
    def get(self, key: bytes, door: int) -> None:
        assert self.runner.run(self.doors[door].get(key)) == self.exact.get(key, self.clock.now_s())

    @rule(
        key=KEYS,
        of=LABELS,
        data=st.sampled_from([b"", b"x", b"y" * 300]),
        took_s=st.integers(0, 50),
        keep_s=st.integers(-1, 100),
        door=st.integers(0, 1),
    )
    def put(self, key: bytes, of: Labels, data: bytes, took_s: int, keep_s: int, door: int) -> None:
        now_s = self.clock.now_s()
        self.runner.run(self.doors[door].put(key, data, of, began_s=now_s - took_s, keep_s=keep_s))
        if keep_s > 0:
            self.exact.put(key, data, of, now_s - took_s, now_s + keep_s)

    @rule(selector=SELECTORS, door=st.integers(0, 1))
    def invalidate(self, selector: Selector, door: int) -> None:
        self.runner.run(self.doors[door].answers.invalidate(selector))
        self.runner.run(self.doors[1 - door].get(b"nothing"))  # as under load: the other hears of it at once
        self.exact.invalidate(selector, self.clock.now_s())


def test_in_redis(redis_always: RedisServer) -> None:
    with asyncio.Runner() as runner:

        class Machine(RedisMachine):
            server = redis_always

        Machine.runner = runner
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
            ),
        )
