"""``python -m tests.conformance``: run every check over the chain and print a line for each.

Exit code 0: all checks passed, or LiteLLM is not there, which is said; 1: a check failed, or the proxy did not start.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.peers import missing
from benchmarks.process import StartFailed

from .chain import Chain, chain_to
from .checks import CHECKS, Check, Missing
from .proxy import litellm


def main() -> int:
    if reason := missing("litellm"):
        print(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("starting the LiteLLM proxy, which takes some seconds ...", flush=True)
        try:
            with litellm(folder) as url:
                failed = asyncio.run(_run(url, folder))
        except StartFailed as exc:
            print(f"failed: {exc}")
            return 1
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks of the chain passed or were skipped; {failed} failed")
    return 1 if failed else 0


async def _run(url: str, folder: Path) -> int:
    async with chain_to(url, folder) as chain:
        return sum([await _failed(check, chain) for check in CHECKS])


async def _failed(check: Check, chain: Chain) -> bool:
    name = check.__name__.replace("_", " ")
    try:
        await check(chain)
    except Missing as exc:
        print(f"  skipped  {name}: {exc}")
        return False
    except Exception as exc:  # noqa: BLE001 - the border of a check: whatever goes wrong is its verdict
        print(f"  FAILED   {name}: {type(exc).__name__}: {exc}")
        return True
    print(f"  ok       {name}")
    return False


if __name__ == "__main__":
    sys.exit(main())
