"""``facts_of(span)``: one walk over a span's attributes with a table of all names, then what its events add.

Where a span says one fact in several ways, the table's order decides: our own names, OpenTelemetry's newer and then its
older ones, OpenInference, OpenLLMetry, Langfuse; attributes before events, and both before the resource. This runs for
every span that comes in, so the table has one entry per name and nothing is searched.
"""

from operator import itemgetter
from typing import Any, NamedTuple

from ..facts import Convention, Facts
from ..span import Attributes, Span
from . import common, genai, openinference, openllmetry
from .events import DETAILS, heard
from .listed import Listed, Side, listed
from .texts import joined
from .values import Reader, Said, name

MAPPING_VERSION = 1
"""Grows when the same span would give other facts than before."""

_GENAI, _OPENLLMETRY, _OPENINFERENCE = 1, 2, 4
_CONVENTIONS: tuple[Convention, ...] = (
    "none",
    "genai",
    "openllmetry",
    "openllmetry",
    "openinference",
    "openinference",
    "openinference",
    "openinference",
)
"""By the marks that a span's names have left. Those who write ``gen_ai.*`` beside names of their own are known by
these."""

SOURCES: tuple[tuple[str, int, tuple[Said, ...]], ...] = (
    ("LLMOps Lab", 0, common.OURS),
    ("OpenTelemetry GenAI", _GENAI, genai.NAMES),
    ("OpenInference", _OPENINFERENCE, openinference.NAMES),
    ("OpenLLMetry", _OPENLLMETRY, openllmetry.NAMES),
    ("OpenTelemetry", 0, common.GENERAL),
    ("Langfuse", 0, common.LANGFUSE),
    ("others", 0, common.OTHERS),
)
"""All names in their order of precedence, with their convention and its mark."""
_SIDES: tuple[Side, ...] = openinference.LISTS + openllmetry.LISTS
_MARKS = dict.fromkeys(openinference.LISTS, _OPENINFERENCE) | dict.fromkeys(openllmetry.LISTS, _OPENLLMETRY)
_FROM_EVENTS = 10_000
"""Behind the ranks of all attributes."""
_NEVER = 1_000_000

_VECTOR_STORES = frozenset(("chroma", "pinecone", "qdrant", "milvus", "weaviate", "marqo", "lancedb"))
_SEARCHES = frozenset(("query", "search", "get", "search_batch", "query_batch", "hybrid_search", "similarity_search"))
_OPERATIONS = {"embedding": "embeddings", "tool": "execute_tool", "agent": "invoke_agent", "retriever": "retrieval"}


class _Meaning(NamedTuple):
    """What an attribute's name says: whose it is, its facts with their ranks, its place in a flattened list."""

    mark: int
    facts: tuple[tuple[int, str, Reader], ...] = ()
    place: Listed | None = None


def _table() -> dict[str, _Meaning]:
    table: dict[str, _Meaning] = {}
    rank = 0
    for _, mark, names in SOURCES:
        for said in names:
            rank += 1
            known = table.get(said.name, _Meaning(mark))
            table[said.name] = known._replace(facts=(*known.facts, (rank, said.fact, said.read)))
    return table


_TABLE = _table()
_LISTED_RANK = _TABLE["input.value"].facts[0][0]
"""Listed messages are the same words as ``input.value`` without their wrapping, so they go before it."""

_learnt: dict[str, _Meaning] = {}
"""Meanings of other names, since every span has the same ones."""
_MOST_LEARNT = 4096
_LONGEST_LEARNT = 160


def facts_of(span: Span) -> Facts:
    """What a span says; a fact that it does not state, or states in a way that makes no sense, is None."""
    found: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    marks = _read(span.attributes, found, ranks, 0)
    if span.events:
        marks |= _read_events(span, found, ranks)
    service = name(span.resource.get("service.name"))
    if service is not None and not service.startswith("unknown_service"):  # what an SDK says that was told nothing
        found["service"] = service
    if span.resource:
        _read_resource(span.resource, found)
    _conclude(span, found)
    return Facts(convention=_CONVENTIONS[marks], **found)


def _read(attributes: Attributes, found: dict[str, Any], ranks: dict[str, int], behind: int) -> int:
    """Put what attributes say into ``found``, unless it is there from a better source. Returns the marks."""
    marks = 0
    flattened: list[tuple[Listed, Any]] | None = None
    for key, value in attributes.items():
        mark, facts, place = _TABLE.get(key) or _learnt.get(key) or _learn(key)
        marks |= mark
        for rank, fact, read in facts:
            if rank + behind < ranks.get(fact, _NEVER):
                said = read(value)
                if said is not None:
                    found[fact] = said
                    ranks[fact] = rank + behind
        if place is not None:
            flattened = flattened or []
            flattened.append((place, value))
    if flattened is not None:
        _read_lists(flattened, found, ranks, behind)
    return marks


def _learn(key: str) -> _Meaning:
    """The meaning of a name that the table does not have."""
    place = listed(key, _SIDES) if len(key) <= _LONGEST_LEARNT else None
    if place is not None:
        meaning = _Meaning(_MARKS[place.side], place=place)
    elif key.startswith("traceloop."):
        meaning = _Meaning(_OPENLLMETRY)
    else:
        meaning = _Meaning(_GENAI if key.startswith("gen_ai.") else 0)
    if len(key) <= _LONGEST_LEARNT:
        if len(_learnt) >= _MOST_LEARNT:
            _learnt.clear()
        _learnt[key] = meaning
    return meaning


def _read_lists(flattened: list[tuple[Listed, Any]], found: dict[str, Any], ranks: dict[str, int], behind: int) -> None:
    """The words of flattened lists, in the order of their numbers."""
    texts: dict[str, list[tuple[int, str]]] = {}
    for (side, number, has_words), value in flattened:
        if side.operation is not None:
            found.setdefault("_listed", side.operation)
        if has_words and type(value) is str and value:
            texts.setdefault(side.fact, []).append((number, value))
    for fact, pieces in texts.items():
        if _LISTED_RANK + behind <= ranks.get(fact, _NEVER):
            pieces.sort(key=itemgetter(0))
            found[fact] = joined([piece for _, piece in pieces])
            ranks[fact] = _LISTED_RANK + behind


def _read_events(span: Span, found: dict[str, Any], ranks: dict[str, int]) -> int:
    marks = 0
    pieces: dict[str, list[str]] = {}
    for fact, value in heard(span.events, span.started_ns):
        marks |= _GENAI
        if fact in ("input_text", "output_text"):
            pieces.setdefault(fact, []).append(value)
        elif fact not in ranks:
            found[fact] = value
            ranks[fact] = _FROM_EVENTS
    for fact, texts in pieces.items():
        if fact not in ranks:
            found[fact] = joined(texts)
            ranks[fact] = _FROM_EVENTS
    for event in span.events:
        if event.name == DETAILS:
            marks |= _read(event.attributes, found, ranks, _FROM_EVENTS)
    return marks


def _read_resource(resource: Attributes, found: dict[str, Any]) -> None:
    """A process may say of itself what all of its spans are part of."""
    for key, fact in (("llmops.release_id", "release_id"), ("session.id", "session"), ("user.id", "user")):
        if fact not in found and (value := name(resource.get(key))) is not None:
            found[fact] = value


def _conclude(span: Span, found: dict[str, Any]) -> None:
    """Facts that are made of several; what was only a part of one goes."""
    amount, currency = found.pop("_amount", None), found.pop("_currency", "USD")
    if amount is not None and currency == "USD":
        found.setdefault("cost_nanousd", amount)
    cost_in, cost_out = found.pop("_cost_in", None), found.pop("_cost_out", None)
    if cost_in is not None and cost_out is not None:
        found.setdefault("cost_nanousd", cost_in + cost_out)
    if "response_model" in found:
        found.setdefault("model", found["response_model"])
    database, listed_operation, entity = (
        found.pop("_database", ""),
        found.pop("_listed", None),
        found.pop("_entity", None),
    )
    if database in _VECTOR_STORES and span.name.rpartition(".")[2] in _SEARCHES:
        found.setdefault("step", "retriever")
    step = found.get("step")
    if step == "embedding":
        found.pop("output_text", None)  # numbers, which nobody searches for
    if step == "tool" and entity is not None:
        found.setdefault("tool", entity)
    if "operation" not in found:
        operation = _OPERATIONS.get(step) if step is not None else None
        if operation is None and step == "llm":
            operation = listed_operation
        if operation is not None:
            found["operation"] = operation
