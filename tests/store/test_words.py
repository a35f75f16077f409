"""Words of invalidation: found by what they name, they strike exactly what looking at each of them would."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.store.answers.envelope import labels_of, seal, unseal
from llmops.store.answers.labels import Labels, Selector
from llmops.store.answers.words import Heard, Words

NAMES = st.sampled_from(["a", "b", "a=1", "a=2", "a@1", "a@1@2", "", "=", "@"])
SELECTORS = st.builds(
    Selector, **{name: st.none() | NAMES for name in ("tenant", "model", "release", "knowledge", "tag")}
)
LABELS = st.builds(
    Labels,
    tenant=NAMES,
    model=NAMES,
    release=st.none() | NAMES,
    knowledge=st.none() | NAMES,
    tags=st.lists(NAMES, max_size=3).map(tuple),
)
NUMBERS = st.integers(1, 20)


@given(words=st.lists(st.tuples(SELECTORS, NUMBERS)), floor=st.integers(0, 10), of=LABELS, heard=st.integers(0, 20))
def test_they_strike_what_each_of_them_selects(
    words: list[tuple[Selector, int]], floor: int, of: Labels, heard: int
) -> None:
    known = Words()
    for word in words:
        known.hear([word], 0)
    known.hear([], floor)
    assert known.strike(of, heard) == (
        heard < floor or any(number > heard and selector.selects(of) for selector, number in words)
    )


@given(ours=st.lists(st.tuples(SELECTORS, NUMBERS)), theirs=st.lists(st.tuples(SELECTORS, NUMBERS)), of=LABELS)
def test_whoever_is_told_what_it_lacks_strikes_as_much(
    ours: list[tuple[Selector, int]], theirs: list[tuple[Selector, int]], of: Labels
) -> None:
    mine, other = Words(), Words()
    mine.hear(ours, 3)
    other.hear(theirs, 2)
    exact = list({selector: max(n for s, n in theirs if s == selector) for selector, _ in theirs}.items())
    other.hear([(selector, 100) for selector in mine.lacking(exact, 2)], 2)
    for heard in range(21):
        assert other.strike(of, heard) or not mine.strike(of, heard)


def test_ever_new_words_do_not_pile_up() -> None:
    known = Words()
    for number in range(1, 50_000):
        known.hear([(Selector(tag=f"doc={number}"), number)], number - 100)
    assert len(known) <= 1100
    assert known.strike(Labels(tenant="a", model="m", tags=("doc=49990",)), 49_980)
    assert not known.strike(Labels(tenant="a", model="m", tags=("doc=1",)), 49_980)


def test_what_a_call_can_have_heard() -> None:
    heard = Heard()
    assert heard.before(5.0) is None
    heard.join(7, 10.0)
    assert (heard.before(10.0), heard.before(10.1)) == (None, 7)
    heard.hear(9, 20.0)
    heard.hear(11, 15.0)  # the clock was set back
    assert [heard.before(at_s) for at_s in (20.0, 20.1, 1e9)] == [7, 11, 11]
    for number in range(12, 10_000):
        heard.hear(number, float(number + 10))
    assert (heard.before(30.0), heard.before(1e9)) == (None, 9_999)  # long ago


@given(data=st.binary(), of=LABELS, heard=st.integers(0, 2**53))
def test_an_envelope_gives_back_what_was_put_in(data: bytes, of: Labels, heard: int) -> None:
    opened = unseal(seal(heard, 1.5, of, data))
    assert opened is not None
    assert (opened.heard, opened.expires_s, labels_of(opened), opened.data) == (heard, 1.5, of, data)


@given(garbage=st.binary(max_size=100))
def test_garbage_is_no_envelope(garbage: bytes) -> None:
    for each in (garbage, b"\x01" + garbage, seal(1, 2.0, Labels(tenant="a", model="m"), b"x")[: len(garbage)]):
        opened = unseal(each)
        assert opened is None or isinstance(labels_of(opened), Labels | None)
