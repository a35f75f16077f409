"""One thing that the doctor looked at."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """``meaning`` says what was found, ``advice`` what to do; a finding that is ok needs no advice."""

    verdict: Literal["ok", "warning", "error"]
    what: str
    meaning: str
    advice: str = ""
