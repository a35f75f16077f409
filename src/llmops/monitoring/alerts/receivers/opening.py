"""From the configuration's receivers to those that deliver."""

from collections.abc import Mapping

from ....alert_settings import AlertSettings, ReceiverSettings
from ....errors import ConfigError
from .mail import Mail
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
    kinds: dict[str, type[Webhook] | type[Slack] | type[Mail]] = {"webhook": Webhook, "slack": Slack, "email": Mail}
    return kinds[settings.kind](settings)
