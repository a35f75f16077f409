"""``llmops cache``: look at the cache of a running gateway, and let answers go.

What is kept lies in the gateway's memory or in Redis, so the gateway is asked over HTTP.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

app = typer.Typer(help="Look at the cache of a running gateway, and let answers go.", no_args_is_help=True)

_LIMIT_S = 10.0

UrlOption = Annotated[
    str | None, typer.Option(help="The gateway, e.g. http://127.0.0.1:8000. Default: the one that runs here.")
]
KeyOption = Annotated[
    str | None, typer.Option(envvar="LLMOPS_ADMIN_KEY", help="A control-plane key; needed once there are keys.")
]


@app.command("show")
def show(url: UrlOption = None, key: KeyOption = None, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Show where answers are kept, how many, and what has gone."""
    with clean_errors():
        found = _ask("GET", {}, url, key, config)
    if as_json:
        print_json(found)
    else:
        print_table(list(found), [["" if each is None else str(each) for each in found.values()]])


@app.command("clear")
def clear(
    tenant: Annotated[str | None, typer.Option(help="Only answers of this tenant.")] = None,
    model: Annotated[str | None, typer.Option(help="Only answers of this public model.")] = None,
    release: Annotated[str | None, typer.Option(help="Only answers of this release.")] = None,
    knowledge: Annotated[
        str | None, typer.Option(metavar="NAME[@VERSION]", help="Only answers with this knowledge base.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME[=VALUE]", help="Only answers with this tag.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All answers; named alone.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Let go of the answers that agree in all that is named. From then on no process gives them out."""
    named = {"tenant": tenant, "model": model, "release": release, "knowledge": knowledge, "tag": tag}
    wanted = {name: value for name, value in named.items() if value is not None}
    with clean_errors():
        found = _ask("DELETE", {**wanted, **({"all": "true"} if everything else {})}, url, key, config)
    if as_json:
        print_json(found)
    elif found["gone"] is None:
        say("they are let go of; how many there were is not known")
    else:
        say(f"{found['gone']:,} answers are let go of")


def _ask(method: str, query: dict[str, str], url: str | None, key: str | None, config: Path | None) -> dict[str, Any]:
    """The gateway's answer; `LLMOpsError` with its words, or with why there are none."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import Request, urlopen

    import msgspec

    from ..errors import LLMOpsError

    base = (url or _running(config)).rstrip("/")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if not base.startswith(("http://", "https://")):
        raise LLMOpsError(f"--url {base!r} must begin with http:// or https://")
    try:
        request = Request(f"{base}/api/cache?{urlencode(query)}", headers=headers, method=method)
        with urlopen(request, timeout=_LIMIT_S) as answer:
            return msgspec.json.decode(answer.read(), type=dict[str, Any])
    except HTTPError as exc:
        hint = "; --key or LLMOPS_ADMIN_KEY takes one" if exc.code == 401 else ""
        raise LLMOpsError(f"{base} answers {exc.code}: {_words(exc.read())}{hint}") from exc
    except (OSError, HTTPException, ValueError) as exc:
        raise LLMOpsError(f"no gateway answers at {base}: {exc}") from exc


def _running(config: Path | None) -> str:
    from ..config import load_settings
    from ..errors import LLMOpsError
    from ..gateway.state_file import find_running, state_path

    path = state_path(load_settings(config).log.dir)
    running = find_running(path)
    if running is None:
        raise LLMOpsError(f"{path}: no running gateway has left its note there; name one with --url")
    return running.url


def _words(body: bytes) -> str:
    import msgspec

    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
