"""What verification keeps of a question: enough to say later why another one is not the same. Made once, never sent.

Words are compared without their endings and by the first of their synonyms; what both wordings may or may not have
(``please``, ``the``) is left out.
"""

import re
import unicodedata
from functools import lru_cache

import msgspec

from .scanner import Scanner
from .vocabulary import ASKING, GROUPS, LANGUAGES, NEGATIONS, SHORT_UNITS, STOPWORDS, SYNONYMS, UNITS

_WORD = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|"  # scripts that leave no space between words: letter by letter
    r"[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+(?:'[^\W\d_]+)*"
)
_THIN_SPACE = re.compile(r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3})")
"""Between thousands; an ordinary space there may stand between two numbers."""
_SENTENCE_ENDS = frozenset(".!?:;\n-\u2013\u2014")
_SCRIPTS = (
    "LATIN",
    "CYRILLIC",
    "GREEK",
    "ARABIC",
    "HEBREW",
    "DEVANAGARI",
    "THAI",
    "HANGUL",
    "CJK",
    "HIRAGANA",
    "KATAKANA",
)
_ASKING = tuple((name, re.compile(pattern, re.I)) for name, pattern in ASKING)
_DIRECTIONS = frozenset("from to into than by over before after versus vs minus against per between".split())
_CAPITALS = 0.7
_UNIMPORTANT = STOPWORDS | NEGATIONS


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of one question; each in the order of the text where that says something."""

    literals: tuple[str, ...]
    """Quotes, addresses and code, as they are."""
    quantities: tuple[str, ...]
    signs: tuple[str, ...]
    units: tuple[str, ...]
    """Units without a number, such as the target of a conversion."""
    names: frozenset[str]
    """Words in capitals where no sentence begins."""
    words: tuple[str, ...]
    """All words in lower case."""
    content: tuple[str, ...]
    """Those that matter, without endings, and by their first synonym."""
    forms: frozenset[str]
    """Words with and without endings."""
    negated: bool
    groups: frozenset[str]
    asks: str
    """``who``, ``when``, … or nothing in particular."""
    directed: bool
    """Whether words such as ``from`` and ``to`` give the order of the others a meaning."""
    language: str | None
    script: str


def facts_of(text: str) -> Facts:
    text = _THIN_SPACE.sub("", text)
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    scanned = Scanner(text)
    asks, what = _asked(scanned.left)
    found = list(_WORD.finditer(scanned.left))
    words = _words(scanned.left)
    bare = {word.replace("'", "") for word in words}
    return Facts(
        literals=_in_order(scanned.literals),
        quantities=_in_order(scanned.quantities),
        signs=_in_order(scanned.signs),
        units=tuple(UNITS[word] for word in _words(what) if word in UNITS and word not in SHORT_UNITS),
        names=_names(scanned.left, found),
        words=words,
        content=tuple(stem(word) for word in _words(what) if word.replace("'", "") not in _UNIMPORTANT),
        forms=frozenset(words).union(map(stem, words)),
        negated=not NEGATIONS.isdisjoint(bare),
        groups=frozenset(f"{name} {word}" for name, members in GROUPS.items() for word in members & bare),
        asks=asks,
        directed=not _DIRECTIONS.isdisjoint(words),
        language=_language(words),
        script=_script(text),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.casefold().removesuffix("'s") for word in _WORD.findall(text))


def _asked(text: str) -> tuple[str, str]:
    """What is asked for, and the rest of the text."""
    for name, pattern in _ASKING:
        if pattern.search(text):
            return name, pattern.sub(" ", text)
    return "", text


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without its ending, by the first of its synonyms; crude, and the same for both questions."""
    word = SYNONYMS.get(word, word)
    for ending, least in (("ies", 3), ("ing", 4), ("ied", 3), ("ed", 2), ("es", 4), ("s", 3)):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= least:
            word = word.removesuffix(ending) + ("y" if ending in ("ies", "ied") else "")
            break
    if len(word) > 2 and (word.endswith("e") or word[-1] == word[-2]):
        word = word[:-1]
    return _STEMMED.get(word, word)


def _names(text: str, found: list[re.Match[str]]) -> frozenset[str]:
    letters = [match for match in found if match[0][:1].isupper()]
    if len(letters) > max(3, _CAPITALS * len(found)):
        return frozenset()  # a headline, or somebody shouts
    return frozenset(
        match[0].casefold().removesuffix("'s")
        for match in letters
        if match[0] not in ("I", "I'm", "I've", "I'd", "I'll") and not _begins_a_sentence(text, match.start())
    )


def _begins_a_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \"'(")
    return not before or before[-1] in _SENTENCE_ENDS


def _in_order(found: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(value for _, value in sorted(found))


def _language(words: tuple[str, ...]) -> str | None:
    """A guess by the commonest words; None where there are too few of them, or of two languages as many."""
    counts = sorted(((sum(word in known for word in words), name) for name, known in LANGUAGES.items()), reverse=True)
    (most, name), (second, _) = counts[0], counts[1]
    return name if most >= 2 and most > second else None


def _script(text: str) -> str:
    """The script of most letters."""
    if text.isascii():
        return "LATIN"
    counts: dict[str, int] = {}
    for letter in text:
        if letter.isalpha():
            name = unicodedata.name(letter, "")
            script = next((each for each in _SCRIPTS if name.startswith(each)), "OTHER")
            counts[script] = counts.get(script, 0) + 1
    return max(counts, key=lambda each: counts[each]) if counts else "LATIN"


_STEMMED: dict[str, str] = {}
_STEMMED.update({stem(alias): stem(first) for alias, first in SYNONYMS.items() if stem(alias) != stem(first)})
stem.cache_clear()  # what was said while the table was empty
