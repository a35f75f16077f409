"""One tree of whatever spans a trace has: every span once, parents before children, siblings in the order of time.

Spans come from others and may be absurd. One whose parent is not there is a root and says so; so is the earliest of a
circle of parents. Of several with one id the first takes the children. Spans of different tenants have nothing to do
with each other, whatever their ids. Where a child of another process lies outside its parent, one of two clocks is
wrong: it is moved to the middle of the parent with all below it (to its edge, for less than a millisecond), and
``shift_us`` says by how much; what was measured stays as it is.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

Flaw = Literal["orphan", "cycle", "duplicate"]
_GRAIN_US = 1000
"""As much may two right clocks differ: the gateway's calls are stored to the millisecond."""


class Node(msgspec.Struct, frozen=True, gc=False):
    """What has to be known of a span to find its place. ``ref`` is the caller's, to know it again."""

    ref: int
    tenant: str
    span_id: str
    parent_id: str | None
    started_us: int
    duration_us: int
    service: str | None = None


class Placed(msgspec.Struct, gc=False):
    """A span's place. ``self_us`` is its time less that of its children, counting no moment twice."""

    node: Node
    depth: int = 0
    shift_us: int = 0
    self_us: int = 0
    children: int = 0
    flaw: Flaw | None = None


def placed(nodes: Sequence[Node]) -> list[Placed]:
    """All spans in the order in which a tree shows them."""
    return _Tree(nodes).walk()


class _Tree:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self._places = [Placed(node) for node in sorted(nodes, key=_order)]
        self._by_id: dict[tuple[str, str], Placed] = {}
        self._children: dict[tuple[str, str], list[Placed]] = {}
        self._reached: set[int] = set()
        roots: list[Placed] = []
        for place in self._places:
            key = (place.node.tenant, place.node.span_id)
            if self._by_id.setdefault(key, place) is not place:
                place.flaw = "duplicate"
        for place in self._places:
            node = place.node
            parent = (node.tenant, node.parent_id or "")
            if node.parent_id is None or parent not in self._by_id:
                place.flaw = place.flaw or ("orphan" if node.parent_id is not None else None)
                roots.append(place)
            else:
                self._children.setdefault(parent, []).append(place)
        self._roots = roots

    def walk(self) -> list[Placed]:
        found: list[Placed] = []
        for root in self._roots:
            self._descend(root, found)
        if len(found) < len(self._places):  # what is left hangs on circles
            for place in self._places:
                if place.node.ref not in self._reached:
                    place.flaw = "cycle"
                    self._descend(place, found)
        return found

    def _descend(self, root: Placed, found: list[Placed]) -> None:
        """From ``root`` down, without recursion: a chain may be a hundred thousand long."""
        self._reached.add(root.node.ref)
        stack = [root]
        while stack:
            place = stack.pop()
            found.append(place)
            key = (place.node.tenant, place.node.span_id)
            children = self._children.get(key, []) if self._by_id[key] is place else []
            children = [child for child in children if child.node.ref not in self._reached]
            for child in children:
                self._reached.add(child.node.ref)
                child.depth = place.depth + 1
                child.shift_us = place.shift_us + _skew_us(place, child)
            place.children = len(children)
            place.self_us = place.node.duration_us - _covered_us(place, children)
            stack += reversed(children)


def _order(node: Node) -> tuple[int, int, str, int]:
    """By time; of two that begin at once the longer one first, which is more likely the other's parent."""
    return node.started_us, -node.duration_us, node.span_id, node.ref


def _skew_us(parent: Placed, child: Placed) -> int:
    """What is to be added to a child's time beside its parent's shift."""
    if child.node.service == parent.node.service or child.node.duration_us > parent.node.duration_us:
        return 0
    offset_us = child.node.started_us - parent.node.started_us
    spare_us = parent.node.duration_us - child.node.duration_us
    if 0 <= offset_us <= spare_us:
        return 0
    if -_GRAIN_US < offset_us < 0:  # no wrong clock: it begins with its parent
        return -offset_us
    if spare_us < offset_us < spare_us + _GRAIN_US:
        return spare_us - offset_us
    return spare_us // 2 - offset_us


def _covered_us(parent: Placed, children: Sequence[Placed]) -> int:
    """How much of the parent's time lies under any of its children."""
    begin_us = parent.node.started_us + parent.shift_us
    end_us = begin_us + parent.node.duration_us
    covered_us, up_to_us = 0, begin_us
    for started_us, duration_us in sorted(
        (child.node.started_us + child.shift_us, child.node.duration_us) for child in children
    ):
        ended_us = min(started_us + duration_us, end_us)
        if ended_us > max(started_us, up_to_us):
            covered_us += ended_us - max(started_us, up_to_us)
            up_to_us = ended_us
    return covered_us
