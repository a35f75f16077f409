"""The waiting room: who waits for room under a limit, and whose turn it is. Decisions only; time comes in as numbers.

A **lane** is a tenant's waiters that need the same rates and concurrent places. What holds one of them holds all, so
only its head is ever tried: by priority, then first come, first served. The first head in order that a meter refuses
**claims** that meter: whoever else needs it waits behind, also a call that would fit, or small calls would starve large
ones. Lanes that need no claimed meter go past, so that one key's limit holds up nobody else. The order among lanes:
tenants take turns (who was let in last comes last), within a tenant by their heads.

A turn looks at every lane once, which is cheap as long as there are hundreds; `Usher` sees to it that turns are rare
where there are more. Not covered: a call that needs two contested meters may find one free only while the other is not.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, TypeVar

import msgspec

from ..store.counters.counters import Refused
from ..store.counters.meter import Concurrency, Meter, Rate, Unit
from ..types import Priority

RANKS: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}


class Waiter(msgspec.Struct, kw_only=True, eq=False):
    """A call that waits. ``meters`` are the names of what it can wait for; the rest is the room's own."""

    tenant: str
    rank: int
    meters: tuple[str, ...]
    number: int = 0
    since_s: float = 0.0
    refused: Refused | None = None
    """What refused it, while it is the head of its lane and has not been passed over since."""
    refused_s: float = 0.0
    retry_s: float = 0.0
    last: tuple[Refused, float] | None = None
    """The refusal that holds up its lane, and when that was; kept when it leaves."""


W = TypeVar("W", bound=Waiter)


class _Line(Generic[W]):
    """Waiters by rank, and in each rank as they came."""

    def __init__(self) -> None:
        self.ranks: tuple[OrderedDict[W, None], ...] = tuple(OrderedDict() for _ in RANKS)

    def __len__(self) -> int:
        return sum(map(len, self.ranks))

    def head(self) -> W:
        high, normal, low = self.ranks
        return next(iter(high or normal or low))

    def newest(self, rank: int) -> W:
        return next(reversed(self.ranks[rank]))


class _Lane(_Line[W]):
    def __init__(self, meters: tuple[str, ...]) -> None:
        super().__init__()
        self.meters = meters
        self.asking: W | None = None
        """The one for which counters elsewhere are being asked."""
        self.last: tuple[Refused, float] | None = None


class _Tenant(_Line[W]):
    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[tuple[str, ...], _Lane[W]] = {}

    def heads(self) -> "list[tuple[int, int, _Lane[W]]]":
        found = [_place(lane) for lane in self.lanes.values()]
        heapify(found)
        return found


def _place(lane: _Lane[W]) -> tuple[int, int, _Lane[W]]:
    head = lane.head()
    return head.rank, head.number, lane


def _is_due(head: Waiter, now_s: float, freed: set[str]) -> bool:
    return head.refused is None or head.retry_s <= now_s or head.refused.meter.name in freed


def waited_for(meters: Sequence[Meter]) -> tuple[str, ...]:
    """The names of the meters whose refusal is worth waiting for: what they count comes back by itself."""
    return tuple(meter.name for meter in meters if isinstance(meter, Rate | Concurrency) and not meter.shadow)


class WaitingRoom(Generic[W]):
    """At most ``max_waiting`` waiters, none for longer than ``max_wait_s``; both may be changed at any time."""

    def __init__(self, max_wait_s: float, max_waiting: int) -> None:
        self.max_wait_s = max_wait_s
        self.max_waiting = max_waiting
        self.lanes = 0
        """How many there are now."""
        self._waiting: OrderedDict[W, None] = OrderedDict()
        self._tenants: OrderedDict[str, _Tenant[W]] = OrderedDict()
        self._claims: dict[str, W] = {}
        self._freed: set[str] = set()
        """Meters that may have room again, whatever was said of them before."""
        self._retry_s = inf
        self._numbers = 0
        self._trying: W | None = None
        self._admitted: W | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiters(self) -> Sequence[W]:
        """In the order of their arrival."""
        return tuple(self._waiting)

    def bars(self, tenant: str, meters: Sequence[Meter]) -> bool:
        """Whether a new call may not be tried, because it would overtake one that waits."""
        claims = self._claims
        for meter in meters:
            if meter.name in claims:
                return True
        known = self._tenants.get(tenant)
        return known is not None and waited_for(meters) in known.lanes

    def claim(self, meter: str) -> Refused | None:
        """The refusal that holds up everybody who needs that meter."""
        holder = self._claims.get(meter)
        return holder.refused if holder is not None else None

    # --- what happens ---

    def enter(self, waiter: W, now_s: float, refused: Refused | None = None, retry_s: float = inf) -> list[W]:
        """A call comes to wait, ``refused`` just now or barred. Returns who has to go for it, perhaps itself."""
        self._numbers += 1
        waiter.number, waiter.since_s = self._numbers, now_s
        self._waiting[waiter] = None
        tenant = self._tenants.setdefault(waiter.tenant, _Tenant())
        tenant.ranks[waiter.rank][waiter] = None
        lane = tenant.lanes.get(waiter.meters)
        if lane is None:
            lane = tenant.lanes[waiter.meters] = _Lane(waiter.meters)
            self.lanes += 1
        before = lane.head() if lane else None
        lane.ranks[waiter.rank][waiter] = None
        if before is not None and lane.head() is waiter:
            before.refused = None  # its turn comes again, and then it is asked anew
        if refused is not None:
            self.refuse(waiter, refused, retry_s, now_s)
        gone = []
        while len(self._waiting) > self.max_waiting:
            gone.append(self._least_urgent())
            self.leave(gone[-1])
        return gone

    def leave(self, waiter: W) -> bool:
        """A waiter goes, for whatever reason. False when it had gone already."""
        if waiter not in self._waiting:
            return False
        del self._waiting[waiter]
        tenant = self._tenants[waiter.tenant]
        lane = tenant.lanes[waiter.meters]
        waiter.last = self._last(lane)
        if waiter.refused is not None:
            self._freed.add(waiter.refused.meter.name)
        if lane.asking is waiter:
            lane.asking = None
        del tenant.ranks[waiter.rank][waiter], lane.ranks[waiter.rank][waiter]
        if not lane:
            del tenant.lanes[waiter.meters]
            self.lanes -= 1
            if not tenant.lanes:
                del self._tenants[waiter.tenant]
        if not self._waiting:
            self._claims, self._retry_s = {}, inf
            self._freed.clear()
        return True

    def admit(self, waiter: W) -> None:
        """A waiter has got its room; the next turn is another tenant's."""
        self._admitted = waiter
        if waiter is self._trying:
            waiter.refused = None  # whom it held up, this very turn comes to
        if self.leave(waiter) and waiter.tenant in self._tenants:
            self._tenants.move_to_end(waiter.tenant)

    def ask(self, waiter: W) -> None:
        """Counters elsewhere are asked for a waiter; `admit`, `refuse` or `leave` will follow."""
        self._tenants[waiter.tenant].lanes[waiter.meters].asking = waiter

    def refuse(self, waiter: W, refused: Refused, retry_s: float, now_s: float) -> None:
        """A waiter has been tried in vain, and is to be tried again at ``retry_s``, or when its meter is freed."""
        lane = self._tenants[waiter.tenant].lanes[waiter.meters]
        lane.asking, lane.last = None, (refused, now_s)
        waiter.refused = None
        if lane.head() is waiter:
            waiter.refused, waiter.refused_s, waiter.retry_s = refused, now_s, retry_s
            self._claims.setdefault(refused.meter.name, waiter)

    def free(self, meters: Sequence[Meter]) -> bool:
        """Something of these meters has been given back. Whether anybody waits for it."""
        freed = [
            meter.name
            for meter in meters
            if (meter.name in self._claims or self._trying is not None)  # amid the turns claims are not all known
            and (isinstance(meter, Concurrency) or meter.unit is Unit.TOKENS)
        ]
        self._freed.update(freed)
        return bool(freed)

    # --- what is to be done ---

    def turns(self, now_s: float) -> Iterator[W]:
        """Whom to try, one after another; before the next is asked for, say what came of it."""
        claims: dict[str, W] = {}
        self._claims, self._retry_s = claims, inf
        freed, self._freed = self._freed, set()
        queue = deque((tenant, tenant.heads()) for tenant in self._tenants.values())
        while queue:
            tenant, heads = queue.popleft()
            while heads:
                lane = heappop(heads)[2]
                head = lane.asking or lane.head()
                if not claims.keys().isdisjoint(lane.meters):
                    self._pass_over(lane)
                    continue
                if lane.asking is None and _is_due(head, now_s, freed):
                    self._trying = head
                    yield head
                    self._trying = None
                    if head not in self._waiting:
                        if lane:
                            heappush(heads, _place(lane))
                        if self._admitted is head:
                            queue.append((tenant, heads))
                            break
                        continue
                if head.refused is not None:
                    claims[head.refused.meter.name] = head
                    if lane.asking is None:
                        self._retry_s = min(self._retry_s, head.retry_s)
        self._admitted = None

    def overdue(self, now_s: float) -> list[W]:
        """Who has waited as long as anybody may."""
        found = []
        for waiter in self._waiting:
            if waiter.since_s + self.max_wait_s > now_s:
                break
            found.append(waiter)
        return found

    def wake_s(self) -> float:
        """When something is to be done next; infinity while nobody waits."""
        if not self._waiting:
            return inf
        if self._freed:
            return -inf
        return min(self._retry_s, next(iter(self._waiting)).since_s + self.max_wait_s)

    def _pass_over(self, lane: _Lane[W]) -> None:
        """A lane waits behind a claim. What its own head was told before may be untrue when its turn comes."""
        if lane.asking is None:
            lane.head().refused = None

    def _last(self, lane: _Lane[W]) -> tuple[Refused, float] | None:
        """The refusal that holds up a lane: that of the claim it stands behind, or else its own."""
        for name in lane.meters:
            holder = self._claims.get(name)
            if holder is not None and holder.refused is not None:
                return holder.refused, holder.refused_s
        return lane.last

    def _least_urgent(self) -> W:
        """Of the lowest priority, of the tenant that has most waiters, the newest."""
        for rank in reversed(range(len(RANKS))):
            tenants = [tenant for tenant in self._tenants.values() if tenant.ranks[rank]]
            if tenants:
                return max(tenants, key=lambda each: (len(each), each.newest(rank).number)).newest(rank)
        raise AssertionError("nobody waits")
