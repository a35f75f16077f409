"""What has happened since the start: attempts and changes at a deployment, and further attempts of a model's calls.

Nothing is decided by these numbers; they are for metrics. They outlive the breaker and the lane that they are about,
because a counter that falls looks like a restart.
"""

from collections.abc import Iterable

from .breaker import Change
from .failure import Attempt, Failure, FailureKind


class AttemptTally:
    """Of one deployment. ``cut``: streams that had begun well, and so are among the ``succeeded``."""

    __slots__ = ("abandoned", "changes", "cut", "failed", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.abandoned = self.cut = 0
        self.failed: dict[FailureKind, int] = {}
        self.changes: dict[Change, int] = {}

    def fail(self, failure: Failure) -> None:
        if failure.committed:
            self.cut += 1
        else:
            self.failed[failure.kind] = self.failed.get(failure.kind, 0) + 1

    def note(self, change: Change) -> None:
        self.changes[change] = self.changes.get(change, 0) + 1


class LaneTally:
    """Of one model: attempts after the first, where the call had failed before and elsewhere."""

    __slots__ = ("failovers", "retries")

    def __init__(self) -> None:
        self.retries = self.failovers = 0

    def go_on(self, deployment: str, tried: Iterable[Attempt]) -> None:
        """An attempt is made there, after those."""
        before = [attempt.deployment for attempt in tried if attempt.failure.was_sent]
        if deployment in before:
            self.retries += 1
        elif before:
            self.failovers += 1
