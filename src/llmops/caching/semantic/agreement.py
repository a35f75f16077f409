"""Whether two questions that lie near each other are the same: what similarity cannot see has to agree.

An embedding puts "transfer 100 to Alice" beside "transfer 1000 to Alice": almost all of it is the same. So the nearer
two texts are in their words, the more the few that differ decide, and one that differs without being a synonym is
reason enough to refuse. Two wordings that share little are left to the threshold; two that share nothing are refused.

When in doubt it refuses: that costs a call, and the other mistake is a wrong answer. Not covered: meaning that no word
shows, knowledge of the world, and words outside `vocabulary` in languages other than English.
"""

from collections import Counter

from .facts import Facts, stem
from .vocabulary import NEGATING_PREFIXES, OPPOSITES

_EITHER_WAY = frozenset({"whose", "amount"})
"""Groups of which one wording may name a member and the other none."""


def disagreement(asked: Facts, known: Facts) -> str | None:
    """Why the known question is not the one that is asked, in words for the operator; None where nothing says so."""
    return _form(asked, known) or _sense(asked, known) or _words(asked, known)


def _form(asked: Facts, known: Facts) -> str | None:
    if asked.script != known.script:
        return f"scripts differ: {asked.script.lower()} and {known.script.lower()}"
    if asked.language and known.language and asked.language != known.language:
        return f"languages differ: {asked.language} and {known.language}"
    for what, ours, theirs in (
        ("quotes or names in code", asked.literals, known.literals),
        ("numbers", asked.quantities, known.quantities),
        ("signs", asked.signs, known.signs),
        ("units", asked.units, known.units),
    ):
        if ours != theirs:
            return f"{what} differ: {_list(ours)} and {_list(theirs)}"
    named = asked.names | known.names
    ours, theirs = (tuple(word for word in facts.words if word in named) for facts in (asked, known))
    return f"names differ: {_list(ours)} and {_list(theirs)}" if ours != theirs else None


def _sense(asked: Facts, known: Facts) -> str | None:
    if asked.negated != known.negated:
        return "one is negated"
    if asked.asks != known.asks:
        return f"they ask for different things: {asked.asks or 'what'!r} and {known.asks or 'what'!r}"
    ours, theirs = asked.forms - known.forms, known.forms - asked.forms
    for word in sorted(ours, key=lambda each: (each not in asked.words, each)):
        if found := sorted(
            _OPPOSITES.get(word, frozenset()) & theirs, key=lambda each: (each not in known.words, each)
        ):
            return f"opposites: {word} and {found[0]}"
    if pair := _prefixed(asked.words, known.words) or _prefixed(known.words, asked.words):
        return f"opposites: {pair[0]} and {pair[1]}"
    for group in sorted({entry.partition(" ")[0] for entry in asked.groups ^ known.groups}):
        mine, other = ({entry for entry in facts.groups if entry.startswith(f"{group} ")} for facts in (asked, known))
        if (mine and other) or group not in _EITHER_WAY:
            return f"they differ in {group}: {_list(sorted(mine))} and {_list(sorted(other))}"
    return None


def _words(asked: Facts, known: Facts) -> str | None:
    ours, theirs = Counter(asked.content), Counter(known.content)
    shared = (ours & theirs).total()
    mine, other = ours - theirs, theirs - ours
    apart = max(mine.total(), other.total())
    if not apart:
        if asked.content != known.content and (asked.directed or known.directed):
            return "the order of the words differs"
        return None
    if not shared:
        return "no word that matters is in both"
    if apart == 1 or 2 * apart <= shared:
        return f"the same but for {_list(sorted(mine))} and {_list(sorted(other))}"
    return None


def _prefixed(words: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, str] | None:
    """A word and its negation, such as ``able`` and ``unable``."""
    theirs = set(others) - set(words)
    for word in words:
        if len(word) > 2 and word not in others:
            for prefix in NEGATING_PREFIXES:
                if prefix + word in theirs:
                    return word, prefix + word
    return None


def _list(values: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(values) or "none"


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for left, right in OPPOSITES:
        for one, other in ((left, right), (right, left)):
            found.setdefault(one, set()).add(other)
            found.setdefault(stem(one), set()).update((other, stem(other)))
    return {word: frozenset(others - {word}) for word, others in found.items()}


_OPPOSITES = _opposites()
