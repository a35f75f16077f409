"""Foreign text on its way to the browser: shortened, with what would act on the reader made visible, escaped.

Everything that a caller, a model or a program of others has named passes through here: `plain` for widgets that do not
interpret (``st.text``, cells of a dataframe), `html` for what becomes markup of ours, `markdown` for the rest, which
should be rare. Nothing here knows what the text means.
"""

import html as _html
import re
import unicodedata
from typing import Any

SHORT_CHARS = 120
"""Of a name or a model; longer ones are cut before they are sent."""
_WORTH_SAYING = 100
"""How much has to be missing for its length to be told: what is cut by less is in the tooltip."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$:~^&@=\"'/])")
_KEPT = {"\n", "\t"}


def plain(value: Any, limit: int = SHORT_CHARS) -> str:
    """As text of one direction: controls and marks of writing direction are shown as ⟨U+202E⟩, what is long is cut."""
    text = "" if value is None else str(value)
    cut = text[:limit]
    if any(_acts(char) for char in cut):
        cut = "".join(f"⟨U+{ord(char):04X}⟩" if _acts(char) else char for char in cut)
    more = len(text) - limit
    return cut + (f"… (+{more:,} characters)" if more >= _WORTH_SAYING else "…" if more > 0 else "")


def html(value: Any, limit: int = SHORT_CHARS) -> str:
    """For a place between tags or within a quoted attribute; set apart, so that it turns round nothing beside it."""
    return _html.escape(plain(value, limit), quote=True)


def markdown(value: Any, limit: int = SHORT_CHARS) -> str:
    """For labels of widgets, which are markdown: nothing of it is markup."""
    return _SPECIAL.sub(r"\\\1", plain(value, limit).replace("\n", " "))


def _acts(char: str) -> bool:
    """Whether it is no character to be seen: a control, a mark of direction, half a surrogate."""
    return char not in _KEPT and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
