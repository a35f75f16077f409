"""A webhook: the letter as JSON in the shape that Prometheus' Alertmanager posts (version 4), so that what takes its
webhooks takes ours.

With a secret the request is signed as Standard Webhooks 1.0 says: ``webhook-signature: v1,<base64 of the HMAC-SHA256 of
"id.timestamp.body">``. A secret that begins with ``whsec_`` is base64 after that, any other is taken as it is.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from ....alert_settings import ReceiverSettings
from ..letter import Entry, Letter
from .posting import post
from .receiver import secret_of, url_of

_PREFIX = "whsec_"


class Webhook:
    def __init__(self, settings: ReceiverSettings) -> None:
        """`ValueError` for a variable that is not set, and for a secret that is not one."""
        self.settings = settings
        self._url = url_of(settings)
        secret = secret_of(settings.secret, settings.secret_env)
        self._key = _key_of(secret) if secret is not None else None

    async def deliver(self, letter: Letter, now_s: float) -> None:
        body = msgspec.json.encode(payload(letter))
        headers = {"webhook-id": letter.id, "webhook-timestamp": str(int(now_s))}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, letter.id, int(now_s), body)
        await post(self._url, body, headers, timeout_s=self.settings.timeout_seconds)


def signature(key: bytes, letter_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{letter_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def payload(letter: Letter) -> dict[str, Any]:
    """Alertmanager's webhook, version 4."""
    return {
        "version": "4",
        "groupKey": f"llmops:{letter.receiver}",
        "truncatedAlerts": letter.left_out,
        "status": letter.status,
        "receiver": letter.receiver,
        "groupLabels": {},
        "commonLabels": _common([_labels(entry) for entry in letter.entries]),
        "commonAnnotations": {},
        "externalURL": letter.link or "",
        "title": letter.title,
        "alerts": [
            {
                "status": entry.status,
                "labels": _labels(entry),
                "annotations": {"summary": entry.summary, "description": entry.text},
                "startsAt": entry.starts_at,
                "endsAt": entry.ends_at or "0001-01-01T00:00:00Z",
                "generatorURL": letter.link or "",
                "fingerprint": entry.fingerprint,
                "value": entry.value,
                "threshold": entry.threshold,
            }
            for entry in letter.entries
        ],
    }


def _labels(entry: Entry) -> dict[str, str]:
    return {**entry.labels, "alertname": entry.rule, "severity": entry.severity}


def _common(labels: list[dict[str, str]]) -> dict[str, str]:
    first = labels[0] if labels else {}
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in labels)}


def _key_of(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except binascii.Error as exc:
        raise ValueError("the secret begins with whsec_ and is not base64 after it") from exc
