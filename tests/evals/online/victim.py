"""Online evals in a process of their own, to be killed: a slow judge that writes down each time it is asked."""

import asyncio
import os
import sys
from pathlib import Path

from llmops.clock import SystemClock
from llmops.evals.judge import Opinion, Question
from tests.evals.online.logged import judged_rule, watch_over


class Slow:
    version = "slow"

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def ask(self, question: Question) -> Opinion:
        os.write(self._fd, f"{question.material}\n".encode())
        await asyncio.sleep(0.02)
        return Opinion(text='{"reason": "so", "grade": 1}', cost_nanousd=1000)


async def main(folder: Path) -> None:
    rule = judged_rule(Slow(folder / "asked"))
    watch, _, _ = watch_over(folder, lambda: [rule], SystemClock(), concurrency=2)
    await watch.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
