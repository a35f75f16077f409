"""``python -m tests.conformance``: run every check over the chain and print a line for each.

Exit code 0: all checks passed, or LiteLLM is not there, which is said; 1: a check failed, or the proxy did not start.
"""

import asyncio
import sys
import tempfile
from collections import Counter
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
                verdicts = asyncio.run(_run(url, folder))
        except StartFailed as exc:
            print(f"failed: {exc}")
            return 1
    print(", ".join(f"{count} {verdict}" for verdict, count in Counter(verdicts).items()))
    return 1 if "FAILED" in verdicts else 0


async def _run(url: str, folder: Path) -> list[str]:
    async with chain_to(url, folder) as chain:
        return [await _verdict(check, chain) for check in CHECKS]


async def _verdict(check: Check, chain: Chain) -> str:
    name = check.__name__.replace("_", " ")
    try:
        await check(chain)
    except Missing as exc:
        print(f"  skipped  {name}: {exc}")
        return "skipped"
    except Exception as exc:  # noqa: BLE001 - the border of a check: whatever goes wrong is its verdict
        print(f"  FAILED   {name}: {type(exc).__name__}: {exc}")
        return "FAILED"
    print(f"  ok       {name}")
    return "ok"


if __name__ == "__main__":
    sys.exit(main())
