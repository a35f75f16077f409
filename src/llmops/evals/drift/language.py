"""The language of a text, roughly: by its script, and within Latin by small words. For shares, not for single texts.

Short texts, code and mixed ones are ``other``. A language that is not listed is counted as its script or as ``latin``,
which still moves when its share does.
"""

import re
from collections import Counter

_LOOKED_AT = 2_000
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("cyrillic", re.compile("[\u0400-\u04ff]")),
    ("arabic", re.compile("[\u0600-\u06ff]")),
    ("hebrew", re.compile("[\u0590-\u05ff]")),
    ("devanagari", re.compile("[\u0900-\u097f]")),
    ("greek", re.compile("[\u0370-\u03ff]")),
    ("thai", re.compile("[\u0e00-\u0e7f]")),
)
SMALL_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset("the and of to is in that it for you with on are this be what how can my have not a i".split()),
    "de": frozenset("der die das und ist nicht ein eine ich wie was mit für auf den zu von sie es im kann".split()),
    "fr": frozenset("le la les et est des un une je que qui dans pour pas vous comment quoi du avec sur ce".split()),
    "es": frozenset("el los las y es de que un una en por para no cómo qué con del se mi lo como".split()),
    "it": frozenset("il lo gli e è di che un una in per non come con del della sono mi cosa si".split()),
    "pt": frozenset("o os as e é de que um uma em por para não como com do da são meu se você".split()),
    "nl": frozenset("de het een en is van dat in niet ik wat hoe met voor op zijn te mijn kan je".split()),
    "pl": frozenset("i w na nie to się jest co jak z do że mam czy o po dla ma jego są".split()),
    "tr": frozenset("ve bir bu için ne nasıl mi da de ile ben çok var değil olan gibi daha kadar".split()),  # noqa: RUF001 - Turkish has that letter
}
_LEAST_SHARE = 0.3
"""Of the letters, for a script to name the language."""


def language_of(text: str) -> str:
    part = text[:_LOOKED_AT]
    letters = sum(map(str.isalpha, part))
    if letters < 3:
        return "other"
    for name, script in _SCRIPTS:
        if len(script.findall(part)) >= _LEAST_SHARE * letters or (name == "ja" and len(script.findall(part)) > 3):
            return name
    words = Counter(word.lower() for word in _WORD.findall(part))
    found = {name: sum(words[word] for word in known) for name, known in SMALL_WORDS.items()}
    best = max(found, key=lambda name: found[name])
    if not found[best]:
        return "latin" if any(map(str.isascii, words)) else "other"
    return best
