"""Names with ``*``: the one kind of pattern that configurations and keys use for models."""

import re
from fnmatch import translate


def name_matcher(pattern: str) -> re.Pattern[str]:
    """An expression for ``fullmatch``. Of a shell pattern only ``*`` is ours; the library's translation of it is linear
    where a naive regular expression is not."""
    return re.compile(translate(pattern.replace("[", "[[]").replace("?", "[?]")))
