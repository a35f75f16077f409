"""What the operator is told when a deployment is left alone, or taken back: one line for each change of its breaker.

The reason is the failure's message. What a provider said has been cleared of our credentials where it was read; here it
is cut short, and quoted so that it cannot forge a line of its own.
"""

import logging

from .breaker import Change

_log = logging.getLogger(__name__)
_MAX_REASON_CHARS = 200


def announce(deployment: str, change: Change, reason: str) -> None:
    """Log the change of a deployment's breaker."""
    reason = reason[:_MAX_REASON_CHARS]
    match change:
        case "dead":
            _log.error("the deployment %r is of no use until its credential is mended: %r", deployment, reason)
        case "ejected":
            _log.warning("the deployment %r is left alone for a while: %r", deployment, reason)
        case "readmitted":
            _log.warning("the deployment %r is well again", deployment)
