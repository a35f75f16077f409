"""One tree out of any spans whatever: each once, parents first, and what is wrong with one is said."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.traces.tree import Node, Placed, placed


def node(ref: int, parent: int | None = None, begin: int = 0, duration: int = 10, **fields: str) -> Node:
    span_id = int(fields.pop("span_id", str(ref)))
    return Node(
        ref=ref,
        tenant=fields.pop("tenant", "acme"),
        span_id=f"{span_id:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        started_us=begin,
        duration_us=duration,
        service=fields.pop("service", "app"),
    )


def shape(places: list[Placed]) -> list[tuple[int, int, str | None]]:
    return [(place.node.ref, place.depth, place.flaw) for place in places]


def test_parents_come_before_children_and_siblings_in_the_order_of_time() -> None:
    found = placed([node(3, 1, 5), node(2, 1, 8), node(4, 3, 6), node(1, None, 0, 20)])
    assert shape(found) == [(1, 0, None), (3, 1, None), (4, 2, None), (2, 1, None)]
    assert found[0].children == 2


def test_orphans_circles_and_repetitions_are_shown_and_say_so() -> None:
    assert shape(placed([node(1, 99), node(2, 1)])) == [(1, 0, "orphan"), (2, 1, None)]
    assert shape(placed([node(1, 2, 5), node(2, 1, 3), node(3, 2, 9)])) == [(2, 0, "cycle"), (1, 1, None), (3, 1, None)]
    assert shape(placed([node(7, 7)])) == [(7, 0, "cycle")]
    twice = placed([node(1), node(2, None, 1, span_id="1"), node(3, 1, 2)])
    assert shape(twice) == [(1, 0, None), (3, 1, None), (2, 0, "duplicate")]


def test_tenants_do_not_meet_in_a_tree() -> None:
    found = placed([node(1), node(2, 1, tenant="other")])
    assert shape(found) == [(1, 0, None), (2, 0, "orphan")]


def test_own_time_counts_no_moment_twice() -> None:
    found = placed([node(1, None, 0, 100), node(2, 1, 10, 30), node(3, 1, 20, 40), node(4, 1, 90, 500)])
    assert found[0].self_us == 100 - 50 - 10


def test_a_wrong_clock_of_another_process_is_mended_with_all_below() -> None:
    found = placed([node(1, None, 1000, 100), node(2, 1, 5000, 20, service="b"), node(3, 2, 5005, 10, service="b")])
    assert [place.shift_us for place in found] == [0, 1040 - 5000, 1040 - 5000]
    same = placed([node(1, None, 1000, 100), node(2, 1, 5000, 20)])
    assert same[1].shift_us == 0, "a process agrees with itself: work may outlive what began it"


def test_what_is_less_than_a_millisecond_early_or_late_is_moved_to_its_parents_edge() -> None:
    early = placed([node(1, None, 5_000_186, 1_000_000), node(2, 1, 5_000_000, 20, service="b")])
    assert early[1].shift_us == 186, "a call is stored to the millisecond, its caller's span to the microsecond"
    late = placed([node(1, None, 1000, 5000), node(2, 1, 5900, 600, service="b")])
    assert late[1].shift_us == -500


def test_a_chain_of_a_hundred_thousand_is_no_recursion() -> None:
    found = placed([node(ref, ref - 1 if ref else None, ref) for ref in range(100_000)])
    assert found[-1].depth == 99_999


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.none() | st.integers(0, 14), st.integers(-(2**62), 2**62), st.integers(0, 2**62)
        ),
        max_size=40,
    ),
    st.randoms(),
)
def test_every_span_is_there_once_whatever_it_says(
    given_spans: list[tuple[int, int | None, int, int]], luck: object
) -> None:
    nodes = [
        node(ref, parent, begin, took, span_id=str(id_)) for ref, (id_, parent, begin, took) in enumerate(given_spans)
    ]
    found = placed(nodes)
    assert sorted(place.node.ref for place in found) == list(range(len(nodes)))
    position = {place.node.ref: index for index, place in enumerate(found)}
    depth_before = -1
    for place in found:
        assert 0 <= place.depth <= depth_before + 1, "nobody is deeper than a child of the one before"
        depth_before = place.depth
        assert place.depth == 0 or place.flaw in (None, "duplicate")
        assert 0 <= place.self_us <= place.node.duration_us
    assert len(position) == len(nodes)
    luck.shuffle(nodes)  # type: ignore[attr-defined]
    assert shape(placed(nodes)) == shape(found), "the order of arrival does not matter"
