"""Servers that tests need: skipped where they are not installed, unless the run says that they have to be.

``TEST_REQUIRE_SERVERS=1`` (set by ``.ci/run`` and the workflow) makes a missing server a failure: a skipped proof must
not look like one that passed.
"""

import os
from typing import NoReturn

import pytest

VARIABLE = "TEST_REQUIRE_SERVERS"


def missing(server: str, package: str) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    message = f"{server} is not installed (Debian: apt-get install {package})"
    if os.environ.get(VARIABLE, "") not in ("", "0"):
        pytest.fail(f"{message}, and {VARIABLE} is set", pytrace=False)
    pytest.skip(message)
