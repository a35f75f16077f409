"""Signing in and out: two small forms, answered by routes of ours beside Streamlit's.

A key is sent once, to this process, which asks the gateway whose it is and keeps it (`sessions`). The cookie is out of
reach for scripts and sent from our own pages only; forms of other sites are refused besides. The key is in no address,
no log and no page.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from . import words
from .feed import Feed
from .palette import DARK, LIGHT
from .sessions import COOKIE, LIFE_S, Sessions
from .source import Problem
from .theme import sheet, variables

_MOST_BYTES = 20_000
_WRONG = {
    "unauthenticated": "That key is not valid here.",
    "forbidden": "That key makes calls. To look, a viewer's, editor's or administrator's is needed.",
    "unreachable": "The gateway does not answer, so the key cannot be checked. Try again in a moment.",
    "empty": "Give a key.",
}


def routes(sessions: Sessions, feed: Callable[[], Feed]) -> list[Route]:
    """``feed`` is asked for at the first request, not before."""

    async def form(request: Request) -> Response:
        return _page(_local(request.query_params.get("next", "/")))

    async def sign_in(request: Request) -> Response:
        given = await _fields(request)
        if given is None:
            return Response("this form belongs to the dashboard's own page", 403)
        key, onward = given.get("key", "").strip(), _local(given.get("next", "/"))
        if not key or not key.isascii() or not key.isprintable():
            return _page(onward, "empty" if not key else "unauthenticated", 400)
        found = await run_in_threadpool(feed().ask, "/api/whoami", None, key=key)
        if found.problem is not None:
            return _page(onward, found.problem, 401)
        sessions.close(request.cookies.get(COOKIE))
        answer = RedirectResponse(onward, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, sessions.open(key), max_age=LIFE_S, path="/", httponly=True, samesite="strict", secure=secure
        )
        return answer

    async def sign_out(request: Request) -> Response:
        if await _fields(request) is None:
            return Response("this form belongs to the dashboard's own page", 403)
        sessions.close(request.cookies.get(COOKIE))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return [
        Route("/sign-in", form, methods=["GET"]),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def form_markup(onward: str, wrong: str = "") -> str:
    """The sign-in form, for its own page and for where a page would be."""
    note = f'<p class="wrong" role="alert">{words.html(wrong, 300)}</p>' if wrong else ""
    return (
        '<form class="lab-sign-in" method="post" action="/sign-in"><h1>Sign in</h1>'
        "<p>This gateway asks for a key. What you see here is what your key may see.</p>"
        f'{note}<input type="hidden" name="next" value="{words.html(_local(onward), 2000)}">'
        '<label for="lab-key">API key</label><input id="lab-key" type="password" name="key" required '
        'autocomplete="current-password" placeholder="sk-…" autofocus><button type="submit">Sign in</button></form>'
    )


def sign_out_markup(who: str) -> str:
    """Whose key it is, and the way out."""
    return (
        f'<form class="lab-out" method="post" action="/sign-out">{words.html(who)}<br>'
        '<button type="submit">Sign out</button></form>'
    )


def _page(onward: str, problem: Problem | str = "", status: int = 200) -> HTMLResponse:
    trouble = problem.trouble if isinstance(problem, Problem) else problem
    wrong = _WRONG.get(trouble, "The gateway could not check the key. Try again in a moment.") if trouble else ""
    style = (
        f"<style>:root{{{variables(LIGHT)}}}@media (prefers-color-scheme: dark){{:root{{{variables(DARK)}}}}}"
        "body{margin:0;padding:0 1rem;background:var(--lab-ground);font:15px/1.5 system-ui,sans-serif}"
        f"{sheet()}</style>"
    )
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Sign in · LLMOps Lab</title>{style}<main>{form_markup(onward, wrong)}</main></html>"
    )
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})


async def _fields(request: Request) -> dict[str, str] | None:
    """What a form of ours says; None for one that another site has sent."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return None
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return None
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > _MOST_BYTES:
            return None
    given: dict[str, Any] = parse_qs(raw.decode("latin-1"), max_num_fields=10)
    return {name: values[-1] for name, values in given.items()}


def _local(path: str) -> str:
    """An address of this dashboard, or its first page: a link must not lead a reader elsewhere."""
    parts = urlsplit(path) if len(path) <= 2000 else None
    if parts is None or parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    return quote(parts.path, safe="/%") + (f"?{quote(parts.query, safe='=&%+:-.,~*')}" if parts.query else "")
