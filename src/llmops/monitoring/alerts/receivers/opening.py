"""From the configuration's receivers to those that deliver."""

from collections.abc import Mapping

from ....alert_settings import AlertSettings, ReceiverSettings
from ....errors import ConfigError
from .receiver import Receiver
from .slack import Slack
from .webhook import Webhook


def open_receivers(settings: AlertSettings) -> Mapping[str, Receiver]:
    """By name; `ConfigError` for one whose variables are not set. Connects to nothing."""
    opened: dict[str, Receiver] = {}
    problems = []
    for receiver in settings.receivers:
        try:
            opened[receiver.name] = _open(receiver)
        except ValueError as exc:
            problems.append(f"alerts.receivers: {receiver.name!r}: {exc}")
    if problems:
        raise ConfigError(problems)
    return opened


def _open(settings: ReceiverSettings) -> Receiver:
    if settings.kind == "email":
        from .mail import Mail  # the library behind it takes a while to import, and few need it

        return Mail(settings)
    return Webhook(settings) if settings.kind == "webhook" else Slack(settings)
