"""A Lua script in Redis and the connection to it: one call at a time, answered in time or given up.

Whatever goes wrong (no connection, no answer in time, a server that loads, is read-only or full) is `Lost` with the
reason in words, and the connection is closed, so that a late answer can meet no later question. A script that the
server has forgotten is sent again: nothing of it was carried out. Whether and when to try again is the caller's.
"""

import asyncio
import hashlib
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ..errors import ConfigError
from ..redis_settings import RedisSettings


class Lost(Exception):
    """Redis cannot be counted with now. Whether it has carried out what was sent, nobody knows."""


class RedisScript:
    """Used by one task. Connects by itself on the first ``run`` after a loss."""

    def __init__(self, settings: RedisSettings, script: str) -> None:
        assert settings.url is not None
        self._url = settings.url
        self._connect_s = settings.connect_timeout_seconds
        self._answer_s = settings.command_timeout_seconds
        self._script = script
        self._sha = hashlib.sha1(script.encode()).hexdigest()
        self._client = self._new()
        self._connected = False

    async def run(self, *arguments: Any) -> Any:
        """The script's answer; ``arguments`` begin with the number of keys. Raises `Lost`."""
        limit_s = self._answer_s if self._connected else self._connect_s + self._answer_s
        try:
            async with asyncio.timeout(limit_s):
                execute: Any = self._client.execute_command
                try:
                    said = await execute("EVALSHA", self._sha, *arguments)
                except NoScriptError:
                    said = await execute("EVAL", self._script, *arguments)
        except TimeoutError as exc:
            await self.close()
            raise Lost(f"no answer within {limit_s:g} s") from exc
        except (RedisError, OSError, ValueError) as exc:
            await self.close()
            raise Lost(_words(exc)) from exc
        except BaseException:  # cancelled amid an exchange: its answer must not meet the next question
            await self.close()
            raise
        self._connected = True
        return said

    async def close(self) -> None:
        """Close the connection; the next ``run`` opens another."""
        client, self._client, self._connected = self._client, self._new(), False
        try:
            async with asyncio.timeout(self._answer_s):
                await client.aclose()
        except (RedisError, OSError, TimeoutError):
            pass  # it is given up anyway

    def _new(self) -> Redis:
        try:
            return Redis.from_url(
                self._url,
                protocol=2,
                socket_connect_timeout=self._connect_s,
                socket_timeout=None,
                retry=Retry(NoBackoff(), 0),
                client_name="llmops",
            )
        except ValueError as exc:
            raise ConfigError(["redis.url: (hidden): is not a Redis URL; write redis://host:6379/0"]) from exc


def _words(exc: BaseException) -> str:
    said = str(exc) or type(exc).__name__
    return said.splitlines()[0][:200]
