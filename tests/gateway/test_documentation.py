"""The control plane's page: whole without any other server, and nothing in it is markup that was only text."""

import re
from collections.abc import Callable

from llmops.gateway.api.documentation import page
from llmops.settings import Settings
from tests.fakes.gateway import Gateway


async def test_the_page_names_every_route_and_its_role_and_loads_nothing(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings()) as gateway:
        answer = await gateway.get("/docs")
    text = answer.body.decode()
    assert answer.status == 200
    for words in ("/api/keys/{key_id}/rotate", "/api/status", "Least role: <b>admin</b>", "grace_seconds"):
        assert words in text
    assert not re.findall(r"(?:src|href)=\"(?!/openapi.json\")", text)
    assert "<script" not in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_words_in_the_description_stay_words() -> None:
    evil = "<img src=x onerror=alert(1)>"
    operation = {"tags": [evil], "summary": evil, "parameters": [{"name": evil, "in": evil, "schema": {"type": evil}}]}
    text = page({"info": {"title": evil, "version": evil}, "paths": {evil: {"get": operation}}}, {})
    assert "<img" not in text and "&lt;img" in text
