"""Prompts at size: 10,000 prompts of 100 versions each, and how long pages, a label's move and rendering take.

::

    python -m benchmarks.prompts [sqlite:///… | postgresql://…] [--prompts 10000] [--versions 100]

Versions are written past the repository, in bulk; everything else goes the way that the gateway goes.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import insert

from llmops.clock import SystemClock
from llmops.prompts.directory import PromptDirectory
from llmops.prompts.hot import HotPrompts
from llmops.prompts.prompt import Content, Selector
from llmops.prompts.render import Compiled
from llmops.store.database import Database
from llmops.store.tables import prompt_labels, prompt_versions, prompts

_NOW_MS = 1_795_000_000_000
_TEXT = "You answer {{who}} of the shop {{shop}} about {{topic}} and say what happens next. " * 24


def fill(database: Database, count: int, versions: int) -> None:
    body = msgspec.json.encode(Content(text=_TEXT)).decode()
    for begin in range(0, count, 100):
        ids = range(begin + 1, min(begin + 100, count) + 1)
        with database.write("prompts") as connection:
            stamp = Database.version_of("prompts")
            said = {"tenant": "acme", "kind": "text", "tags": "[]", "last_number": versions, "version": stamp}
            for each in ids:
                folder = f"team-{each % 50}/app-{each % 200}"
                moments = {"created_at_ms": _NOW_MS, "updated_at_ms": _NOW_MS}
                names = {"name": f"{folder}/prompt-{each}", "folder": folder}
                connection.execute(insert(prompts).values(id=each, **names, **said, **moments))
            rows = [
                {
                    "prompt_id": each,
                    "number": number,
                    "digest": f"{each}-{number}",
                    "author": "ann",
                    "comment": "",
                    "created_at_ms": _NOW_MS,
                    "body": body,
                }
                for each in ids
                for number in range(1, versions + 1)
            ]
            connection.execute(insert(prompt_versions), rows)
            labels = [
                {"prompt_id": each, "label": label, "number": number, "moved_at_ms": _NOW_MS, "moved_by": "ann"}
                for each in ids
                for label, number in (("production", versions - 1), ("staging", versions))
            ]
            connection.execute(insert(prompt_labels), labels)


def timed(what: str, ask: Callable[[], object], repeats: int = 5) -> None:
    took = []
    for _ in range(repeats):
        begun_s = time.perf_counter()
        ask()
        took.append(time.perf_counter() - begun_s)
    print(
        f"{what:48} median {sorted(took)[len(took) // 2] * 1e3:9.2f} ms   worst {max(took) * 1e3:9.2f} ms", flush=True
    )


def measure(database: Database, count: int) -> None:
    directory: PromptDirectory[str] = PromptDirectory(
        database, lambda *_, **__: None, now_ms=lambda: round(time.time() * 1000)
    )
    kept, whose = directory.repository, ["acme", "*"]
    name = kept.summaries(whose, limit=count)[count // 2].name
    timed("first page of all", lambda: kept.summaries(whose, limit=50))
    timed("page in the middle", lambda: kept.summaries(whose, after=name, limit=50))
    timed("folders", lambda: kept.folders(whose))
    timed("folder's folders", lambda: kept.folders(whose, "team-7"))
    timed("folder's prompts", lambda: kept.summaries(whose, folder=name.rpartition("/")[0], limit=50))
    timed("search that finds little", lambda: kept.summaries(whose, search="prompt-9999", limit=50))
    timed("versions", lambda: kept.headers("acme", name, limit=50))
    timed("one version", lambda: kept.version("acme", name, Selector(label="production")))
    timed("labels and moves", lambda: (kept.labels("acme", name), kept.moves("acme", name)))
    timed("use of 50 versions", lambda: directory.usage("acme", name, range(1, 51), 0, _NOW_MS))
    timed(
        "publish", lambda: directory.publish("b", "acme", name, Content(text=f"{time.time()}"), author="ann"), repeats=9
    )
    asyncio.run(measure_hot(database, directory, name))


async def measure_hot(database: Database, directory: PromptDirectory[str], name: str) -> None:
    hot = HotPrompts(database, SystemClock(), period_s=60)
    begun_s = time.perf_counter()
    await hot.start()
    print(f"{'start: labels and labelled contents in memory':48} {time.perf_counter() - begun_s:16.2f} s")
    took = []
    for number in (3, 4, 5, 6, 7):
        directory.label("b", "acme", name, "production", Selector(number), author="ann")
        begun_s = time.perf_counter()
        await hot.refresh()
        took.append(time.perf_counter() - begun_s)
        found = hot.find("acme", name, Selector(label="production"))
        assert found is not None and found.version.number == number
    print(f"{'a look that finds one label moved':48} median {sorted(took)[2] * 1e3:9.2f} ms")
    compiled, values = Compiled(Content(text=_TEXT)), {"who": "Ann", "shop": "Acme", "topic": "refunds"}
    best = min(_seconds(lambda: compiled.render(values)) for _ in range(5))
    print(f"{f'rendering {len(_TEXT)} characters':48} best {best * 1e6:11.1f} µs")
    best = min(_seconds(lambda: hot.find("acme", name, Selector(label="production"))) for _ in range(5))
    print(f"{'finding in memory':48} best {best * 1e6:11.1f} µs")
    await hot.aclose()


def _seconds(ask: Callable[[], object], times: int = 2000) -> float:
    begun_s = time.perf_counter()
    for _ in range(times):
        ask()
    return (time.perf_counter() - begun_s) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", nargs="?", help="default: a new SQLite file")
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(asked.url or f"sqlite:///{Path(folder) / 'llmops.db'}")
        try:
            begun_s = time.perf_counter()
            fill(database, asked.prompts, asked.versions)
            rows = asked.prompts * asked.versions
            print(f"{rows:,} versions of {asked.prompts:,} prompts, filled in {time.perf_counter() - begun_s:.0f} s")
            measure(database, asked.prompts)
        finally:
            database.close()


if __name__ == "__main__":
    main()
