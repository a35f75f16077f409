"""Searching calls and traces on both engines: what is found is what a plain look at everything finds, page by page."""

import random
from typing import Any

import pytest

from llmops.errors import InvalidRequest
from llmops.store.database import Database
from llmops.telemetry.traces.query import ORDERS, Order, TraceFilter, TraceItem, TracePage
from llmops.telemetry.traces.records import TextRow
from llmops.telemetry.traces.repository.call_texts import add_call_texts
from llmops.telemetry.traces.repository.search import TraceSearch
from llmops.telemetry.traces.repository.texts import TextIndex
from tests.telemetry.traces.shelf import NOW_US, Shelf, a_span, trace_of

_DAY_US = 86_400_000_000


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def all_pages(search: TraceSearch, wanted: TraceFilter, order: Order = "newest", limit: int = 3) -> list[TraceItem]:
    """Every item of a list, read page by page."""
    found: list[TraceItem] = []
    cursor = None
    for _ in range(500):
        page = search.search(wanted, order, limit, cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


def made(count: int) -> list[dict[str, Any]]:
    """Calls over four days, each its own trace, with a few values that differ."""
    luck = random.Random(5)
    return [
        {
            "number": number,
            "at_us": NOW_US - luck.randrange(4 * _DAY_US // 1000) * 1000,
            "tenant": luck.choice(["acme", "other"]),
            "user": luck.choice([None, "u-1", "u-2"]),
            "session": luck.choice([None, "s-1", "s-2"]),
            "model": luck.choice(["m", "n"]),
            "release_id": luck.choice([None, "r-1"]),
            "latency_ms": luck.choice([5.0, 50.25, 500.0]),
            "cost_nanousd": luck.choice([None, 0, 1000, 5000]),
            **luck.choice([{}, {"status": 503, "error_type": "upstream_error"}]),
        }
        for number in range(1, count + 1)
    ]


FILTERS = [
    TraceFilter(),
    TraceFilter(tenant="acme"),
    TraceFilter(tenant="nobody"),
    TraceFilter(tenant="acme", user="u-1"),
    TraceFilter(user="u-2"),
    TraceFilter(session="s-1"),
    TraceFilter(tenant="other", session="s-2", user="u-1"),
    TraceFilter(model="n"),
    TraceFilter(release_id="r-1", state="ok"),
    TraceFilter(state="error"),
    TraceFilter(tenant="acme", state="error"),
    TraceFilter(status=503),
    TraceFilter(min_latency_ms=50.25),
    TraceFilter(min_cost_nanousd=1000),
    TraceFilter(since_us=NOW_US - 2 * _DAY_US, until_us=NOW_US - _DAY_US),
    TraceFilter(since_us=NOW_US - 2 * _DAY_US, user="u-1"),
]


def matches(call: dict[str, Any], wanted: TraceFilter) -> bool:
    same = all(
        getattr(wanted, name) in (None, call[name]) for name in ("tenant", "user", "session", "model", "release_id")
    )
    failed = "error_type" in call
    return (
        same
        and wanted.state in (None, "error" if failed else "ok")
        and wanted.status in (None, call.get("status", 200))
        and (wanted.min_latency_ms is None or call["latency_ms"] >= wanted.min_latency_ms)
        and (wanted.min_cost_nanousd is None or (call["cost_nanousd"] or -1) >= wanted.min_cost_nanousd)
        and (wanted.since_us is None or call["at_us"] >= wanted.since_us)
        and (wanted.until_us is None or call["at_us"] < wanted.until_us)
    )


KEYS = {"newest": "at_us", "slowest": "latency_ms", "dearest": "cost_nanousd"}


@pytest.mark.parametrize("at_once", [7, 1000])
def test_pages_hold_what_a_plain_look_finds(shelf: Shelf, at_once: int) -> None:
    calls = made(60)
    shelf.calls(*calls)
    search = TraceSearch(shelf.database, calls_at_once=at_once, traces_at_once=at_once)
    for wanted in FILTERS:
        for order in ORDERS:
            key = KEYS[order]
            expected = [call for call in calls if matches(call, wanted) and (order != "dearest" or call[key])]
            expected.sort(key=lambda call: (call[key], trace_of(call["number"])), reverse=True)
            found = all_pages(search, wanted, order)
            assert [item.trace_id for item in found] == [trace_of(call["number"]) for call in expected], (wanted, order)
            for item, call in zip(found, expected, strict=True):
                assert (item.tenant, item.started_us, item.cost_nanousd) == (
                    call["tenant"],
                    call["at_us"],
                    call["cost_nanousd"],
                )


def test_traces_and_calls_are_one_list_without_repetition(shelf: Shelf) -> None:
    shelf.spans(a_span(1, trace=1), a_span(2, trace=1, parent=1), a_span(10, trace=2))
    shelf.calls({"number": 5, "trace": 1}, {"number": 6, "trace": 6}, {"number": 20, "trace": 20})
    found = all_pages(TraceSearch(shelf.database), TraceFilter(tenant="acme"))
    assert [(item.trace_id, item.source) for item in found] == [
        (trace_of(20), "call"),
        (trace_of(2), "spans"),
        (trace_of(6), "call"),
        (trace_of(1), "spans"),
    ]
    one = found[-1]
    assert (one.spans, one.calls, one.cost_nanousd, one.input_tokens) == (2, 1, 1000, 10), "the gateway's own figures"


def test_a_call_is_listed_where_its_trace_does_not_match(shelf: Shelf) -> None:
    shelf.spans(a_span(1, trace=1))
    shelf.calls({"number": 5, "trace": 1, "user": "alice"})
    found = TraceSearch(shelf.database).search(TraceFilter(user="alice"))
    assert [(item.source, item.trace_id) for item in found.items] == [("call", trace_of(1))]
    assert TraceSearch(shelf.database).search(TraceFilter(status=200)).items[0].source == "call"


def test_a_call_is_among_the_dearest_though_its_spans_know_of_no_cost(shelf: Shelf) -> None:
    shelf.spans(a_span(1, trace=1))
    shelf.calls({"number": 5, "trace": 1}, {"number": 6, "cost_nanousd": 500})
    found = all_pages(TraceSearch(shelf.database), TraceFilter(), "dearest")
    assert [item.trace_id for item in found] == [trace_of(1), trace_of(6)]


def test_spans_are_found_by_the_model_they_used(shelf: Shelf) -> None:
    used = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 3}
    shelf.spans(a_span(1), a_span(2, parent=1, attributes=used), a_span(9, trace=2))
    found = TraceSearch(shelf.database).search(TraceFilter(model="gpt-x"))
    assert [item.trace_id for item in found.items] == [trace_of(1)]


def test_calls_of_one_trace_are_one_line_of_a_page(shelf: Shelf) -> None:
    shelf.calls(*({"number": number, "trace": 1} for number in range(1, 6)), {"number": 9})
    page = TraceSearch(shelf.database).search(TraceFilter())
    assert [(item.trace_id, item.calls, item.cost_nanousd) for item in page.items] == [
        (trace_of(9), 1, 1000),
        (trace_of(1), 5, 5000),
    ]


def test_captured_words_find_calls_and_only_ones_own(shelf: Shelf) -> None:
    shelf.calls({"number": 1}, {"number": 2, "tenant": "other"})
    with shelf.database.write("traces") as connection:
        rows = [("acme", 1, "the zebra in Łódź"), ("other", 2, "another zebra")]
        add_call_texts(
            connection,
            [TextRow("2026-11-21", tenant, trace_of(n), f"{n + 2**40:016x}", text) for tenant, n, text in rows],
        )
    TextIndex(shelf.database).index_some(100)

    def found(words: str, tenant: str | None) -> list[str]:
        page: TracePage = TraceSearch(shelf.database).search(TraceFilter(text=words, tenant=tenant))
        return [item.trace_id for item in page.items]

    assert found("zebra", None) == [trace_of(2), trace_of(1)]
    assert found("ZEBRA Łódź", "acme") == [trace_of(1)]
    assert found("lodz", "acme") == [], "ł is a letter of its own"
    assert found("łodz", "acme") == found("the_zebra", "acme") == [trace_of(1)]
    assert found("another", "acme") == found("horse", None) == found("'\" OR 1=1 --", None) == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_calls_of_one_trace_are_one_line_on_all_pages_together(shelf: Shelf, order: Order, limit: int) -> None:
    luck = random.Random(limit)
    given = [
        {"number": n, "trace": 1 + n % 7, "tenant": luck.choice(["acme", "other"]), "latency_ms": float(n * 37 % 50),
         "cost_nanousd": 1 + n * 13 % 60, "session": luck.choice(["s", "t"]),
         "at_us": NOW_US - n * 29 % 40 * 7_200_000_000}
        for n in range(1, 41)
    ]  # fmt: skip
    shelf.calls(*given)
    for wanted in (TraceFilter(), TraceFilter(tenant="acme"), TraceFilter(session="s"), TraceFilter(model="m")):
        matching = [call for call in given if matches({"user": None, "model": "m", "release_id": None, **call}, wanted)]
        first: dict[Any, Any] = {}
        for call in matching:
            key = call["tenant"], trace_of(call["trace"])
            first[key] = max(first.get(key, 0), call[KEYS[order]])
        found = all_pages(TraceSearch(shelf.database), wanted, order, limit)
        assert sorted((item.tenant, item.trace_id) for item in found) == sorted(first)
        places = [first[item.tenant, item.trace_id] for item in found]
        assert places == sorted(places, reverse=True), "each in the place of its first call"


def test_a_trace_that_goes_on_meanwhile_is_not_hidden(shelf: Shelf) -> None:
    shelf.calls(*({"number": number} for number in range(1, 5)))
    search = TraceSearch(shelf.database)
    first = search.search(TraceFilter(), "newest", 2)
    shelf.calls({"number": 50, "trace": 1})
    second = search.search(TraceFilter(), "newest", 2, first.cursor)
    assert [item.trace_id for item in second.items] == [trace_of(2), trace_of(1)]


def test_a_trace_of_many_calls_takes_no_page_after_page(shelf: Shelf) -> None:
    shelf.calls(*({"number": number, "trace": 1} for number in range(2, 1500)), {"number": 1, "trace": 9})
    search = TraceSearch(shelf.database)
    first = search.search(TraceFilter(), "newest", 1)
    assert [item.calls for item in first.items] == [1498]
    second = search.search(TraceFilter(), "newest", 1, first.cursor)
    assert [item.trace_id for item in second.items] == [trace_of(9)]


SAID = "ÉCOLE, naïve Straße—ΣΊΣΥΦΟΣ \uff21\uff22\uff23 foo_bar don't \u202ehidden\u202c Привет 東京 x" + "y" * 500


@pytest.mark.parametrize(
    "words",
    ["école", "Ecole", "e\u0301cole", "NAIVE", "strasse", "STRASSE σίσυφοσ", "Σισυφος", "abc", "foo bar", "foo_bar",
     "don't", "hidden", "ПРИВЕТ", "東京", "X" + "Y" * 200],
)  # fmt: skip
def test_words_are_found_whatever_their_case_and_accents(shelf: Shelf, words: str) -> None:
    """PostgreSQL's database has the locale C here, which knows no letters but ASCII's."""
    shelf.calls({"number": 1}, {"number": 2})
    with shelf.database.write("traces") as connection:
        rows = [TextRow("2026-11-21", "acme", trace_of(n), f"{n + 2**40:016x}", said) for n, said in
                [(1, SAID), (2, "nothing of it")]]  # fmt: skip
        add_call_texts(connection, rows)
    index = TextIndex(shelf.database)
    index.index_some(100)
    found = index.search(words, tenant="acme", limit=10)
    assert [each.trace_id for each in found] == [trace_of(1)]
    with shelf.database.write("traces") as connection:
        index.remove(connection, [each.id for each in found])
    assert index.search(words, tenant="acme", limit=10) == []
    assert len(index.search("nothing", tenant="acme", limit=10)) == 1


@pytest.mark.parametrize("text", ["'; DROP TABLE calls; --", "%", "\0", "x" * 10_000, "\x1b[31m"])
def test_hostile_filters_find_nothing_and_break_nothing(shelf: Shelf, text: str) -> None:
    shelf.calls({"number": 1})
    search = TraceSearch(shelf.database)
    wanted = TraceFilter(user=text, session=text, model=text, release_id=text, text=text, tenant=text)
    assert search.search(wanted).items == []
    for name in ("user", "session", "model", "release_id", "tenant"):
        assert search.search(TraceFilter(**{name: text})).items == []
    assert len(search.search(TraceFilter()).items) == 1


@pytest.mark.parametrize(
    "cursor", ["", "x", "e30", "WyJuZXdlc3QiLCJhIiwxXQ", "é", "[" * 5000, "WyJzbG93ZXN0IiwxLCJhIl0"]
)
def test_a_cursor_that_is_none_of_ours_is_refused(shelf: Shelf, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        TraceSearch(shelf.database).search(TraceFilter(), "newest", 10, cursor)


def test_what_comes_in_between_moves_nothing(shelf: Shelf) -> None:
    shelf.calls(*({"number": number} for number in range(1, 7)))
    search = TraceSearch(shelf.database)
    first = search.search(TraceFilter(), "newest", 3)
    shelf.calls({"number": 100}, {"number": 101})
    second = search.search(TraceFilter(), "newest", 3, first.cursor)
    assert [item.trace_id for item in first.items + second.items] == [trace_of(number) for number in range(6, 0, -1)]


def test_sessions_stand_where_their_latest_activity_is(shelf: Shelf) -> None:
    shelf.calls(
        {"number": 1, "session": "a"},
        {"number": 2, "session": "b"},
        {"number": 3, "session": "a", "at_us": NOW_US - 3 * _DAY_US},
        {"number": 4, "session": "a", "tenant": "other"},
        {"number": 5},
    )
    shelf.spans(
        a_span(50, trace=50, attributes={"session.id": "b"}), a_span(60, trace=60, attributes={"session.id": "c"})
    )
    found, cursor = [], None
    while True:
        page = shelf.traces.sessions(None, 1, cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert [(each.tenant, each.session, each.calls, each.traces) for each in found] == [
        ("acme", "c", 0, 1),
        ("acme", "b", 1, 1),
        ("other", "a", 1, 0),
        ("acme", "a", 2, 0),
    ]
    assert found[-1].first_us == NOW_US - 3 * _DAY_US and found[-1].cost_nanousd == 2000
    assert [each.session for each in shelf.traces.sessions("other").items] == ["a"]


def test_steps_are_summed_up_with_their_longest(shelf: Shelf) -> None:
    shelf.calls(
        {"number": 1, "timings_ms": {"auth": 0.5, "upstream": 10.0}},
        {"number": 2, "timings_ms": {"auth": 1.5, "limits": 0.25}},
        {"number": 3, "tenant": "other", "timings_ms": {"auth": 50.0}},
        {"number": 4},
    )
    shelf.spans(a_span(1, duration_us=30_000, name="retrieve"), a_span(2, duration_us=10_000, name="retrieve"))
    found = [(each.name, each.count, each.total_us, each.mean_us, each.max_us) for each in shelf.traces.steps("acme")]
    assert found == [
        ("retrieve", 2, 40_000, 20_000, 30_000),
        ("upstream", 1, 10_000, 10_000, 10_000),
        ("auth", 2, 2000, 1000, 1500),
        ("limits", 1, 250, 250, 250),
    ]
    assert shelf.traces.steps()[0].max_us == 50_000, "an administrator's, of all tenants"


def test_an_empty_store_has_nothing_and_stays_unmade(tmp_path: Any) -> None:
    shelf = Shelf(Database(f"sqlite:///{tmp_path}/none.db"))
    assert shelf.traces.search(TraceFilter()).items == shelf.traces.steps() == shelf.traces.sessions(None).items == []
    assert shelf.traces.read(trace_of(1), None) is None
    assert not list(tmp_path.iterdir())
