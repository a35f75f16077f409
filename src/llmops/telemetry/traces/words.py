"""The words of a text as they are searched: the same on every engine, whatever it knows of letters itself.

Case, accents and the forms of one letter are taken off here, and neither SQLite's nor PostgreSQL's own idea of words is
used: that one knows no letters beyond ASCII in a database with the locale C. Texts without spaces between
words, as Chinese is written, are found by whole runs of letters only.
"""

import re
import unicodedata

MAX_CHARS = 100
"""A longer word is found by its beginning."""
_ASCII = re.compile(r"[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")


def words_of(text: str) -> list[str]:
    """Each word once, in the order in which they come; letters and digits only."""
    if text.isascii():
        found = _ASCII.findall(text.lower())
    else:
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
        found = _WORD.findall(unicodedata.normalize("NFKC", plain).casefold())
    return list(dict.fromkeys([word[:MAX_CHARS] for word in found]))


def folded(text: str) -> str:
    """These words with spaces between them."""
    return " ".join(words_of(text))
