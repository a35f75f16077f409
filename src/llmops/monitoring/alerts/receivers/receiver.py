"""What the ways of delivery share: a `Receiver` takes a letter or says why not, and whether trying again is of use.

Receivers are the operator's configuration. Their addresses and secrets are read when the configuration is, and appear
in no message, no error and no log: a chat's webhook address is a password.
"""

import os
from typing import Protocol

from pydantic import SecretStr

from ....alert_settings import ReceiverSettings, check_url
from ..letter import Letter


class DeliveryFailed(Exception):
    """``wait_s``: what the receiver asks for, None where it does not; ``permanent``: it will never take this letter."""

    def __init__(self, reason: str, *, permanent: bool = False, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.wait_s = wait_s


class Receiver(Protocol):
    @property
    def settings(self) -> ReceiverSettings: ...

    async def deliver(self, letter: Letter, now_s: float) -> None:
        """Hand the letter over; raises `DeliveryFailed`, and nothing else."""
        ...


def secret_of(given: SecretStr | None, variable: str | None) -> str | None:
    """A secret that is given, or a variable's; `ValueError` for a variable that is not set."""
    if given is not None:
        return given.get_secret_value()
    if variable is None:
        return None
    value = os.environ.get(variable, "")
    if not value:
        raise ValueError(f"the variable {variable} is not set")
    return value


def url_of(settings: ReceiverSettings) -> str:
    url = secret_of(settings.url, settings.url_env)
    if url is None:
        raise ValueError("url or url_env is missing")
    try:
        check_url(url)
    except ValueError as exc:
        raise ValueError(f"the address in {settings.url_env or 'url'} {exc}") from exc
    return url
