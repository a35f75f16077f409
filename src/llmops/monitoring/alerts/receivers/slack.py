"""A chat that takes Slack's incoming webhooks: Slack, Mattermost, Rocket.Chat, Discord under ``/slack``.

``text`` is what notifications and simpler chats show, ``blocks`` what Slack does. The three characters that have a
meaning in its markup are escaped, so that a name can neither mention everybody nor disguise a link.
"""

from typing import Any

import msgspec

from ....alert_settings import ReceiverSettings
from ..letter import Entry, Letter
from .posting import post
from .receiver import url_of

_MOST_ENTRIES = 20
"""Slack takes 50 blocks and 3,000 characters in each."""
_MOST_CHARS = 2800


class Slack:
    def __init__(self, settings: ReceiverSettings) -> None:
        """`ValueError` for a variable that is not set."""
        self.settings = settings
        self._url = url_of(settings)

    async def deliver(self, letter: Letter, now_s: float) -> None:
        await post(self._url, msgspec.json.encode(payload(letter)), {}, timeout_s=self.settings.timeout_seconds)


def payload(letter: Letter) -> dict[str, Any]:
    title = escaped(letter.title)
    blocks: list[dict[str, Any]] = [_section(f"*{title}*")]
    blocks += [_section(_line(entry)) for entry in letter.entries[:_MOST_ENTRIES]]
    more = letter.left_out + max(0, len(letter.entries) - _MOST_ENTRIES)
    if more:
        blocks.append(_section(f"and {more} more"))
    if letter.link:
        blocks.append(_section(f"<{escaped(letter.link)}|Open>"))
    text = "\n".join([title, *(escaped(entry.summary) for entry in letter.entries[:_MOST_ENTRIES])])
    return {"text": text[:_MOST_CHARS], "blocks": blocks}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(entry: Entry) -> str:
    since = f"since {entry.starts_at}" + (f" until {entry.ends_at}" if entry.ends_at else "")
    return f"*{entry.status}, {entry.severity}* {escaped(entry.text)} ({since})"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_MOST_CHARS]}}
