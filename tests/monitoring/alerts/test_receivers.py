"""What receivers get: over real sockets, signed, escaped, by mail with TLS, and without anybody's secrets."""

import asyncio
import base64
import hashlib
import hmac
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmops.alert_settings import AlertRuleSettings, ReceiverSettings
from llmops.monitoring.alerts.alert import new_alert
from llmops.monitoring.alerts.announcing import Notice
from llmops.monitoring.alerts.letter import Letter, write_letter
from llmops.monitoring.alerts.receivers.backoff import next_wait_s
from llmops.monitoring.alerts.receivers.mail import Mail, message
from llmops.monitoring.alerts.receivers.receiver import DeliveryFailed
from llmops.monitoring.alerts.receivers.slack import Slack
from llmops.monitoring.alerts.receivers.webhook import Webhook
from tests.monitoring.alerts.mail_server import MailServer
from tests.monitoring.alerts.stand import HttpReceiver
from tests.providers.test_tls import certificate, server_context
from tests.serving import llmops_process

NOW_S = 1_700_000_000.0
HOSTILE = "<!channel> <http://evil|log in>\r\nBcc: all@example.com & more"


def a_letter(count: int = 1, *, model: str = "gpt-5", **rule: Any) -> Letter:
    settings = AlertRuleSettings.model_validate({"name": "slow", "kind": "latency", "threshold": 2, **rule})
    alert = msgspec.structs.replace(
        new_alert("slow", "warning", {"model": model}), state="firing", value=4.5, threshold=2.0, since_s=NOW_S
    )
    notices = [Notice(receiver="r", status="firing", alert=alert)] * count
    return write_letter("a" * 32, "r", notices, [settings], link="https://llmops.example.com", now_s=NOW_S)


def receiver(kind: str, **fields: Any) -> ReceiverSettings:
    return ReceiverSettings.model_validate({"name": "r", "kind": kind, "timeout_seconds": 2, **fields})


async def test_a_webhook_is_signed_as_standard_webhooks_says() -> None:
    key = b"0123456789abcdef01234567"
    secret = "whsec_" + base64.b64encode(key).decode()
    async with HttpReceiver() as hook:
        await Webhook(receiver("webhook", url=hook.url, secret=secret)).deliver(a_letter(), NOW_S)
        (start, headers, body) = hook.requests[0]
    assert start == "POST /hook/s3cret HTTP/1.1"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert "whsec" not in body.decode()


async def test_a_message_of_ones_own_with_values_and_a_link() -> None:
    async with HttpReceiver() as hook:
        letter = a_letter(message="{severity}: {rule} at {value} (limit {threshold}) for {labels} {{x}} {link}")
        await Webhook(receiver("webhook", url=hook.url)).deliver(letter, NOW_S)
    (alert,) = hook.bodies[0]["alerts"]
    assert alert["annotations"]["description"] == (
        "warning: slow at 4.5 s (limit 2 s) for model=gpt-5 {x} https://llmops.example.com"
    )
    assert hook.bodies[0]["commonLabels"] == {"alertname": "slow", "model": "gpt-5", "severity": "warning"}


async def test_a_chat_is_neither_called_together_nor_led_astray_by_a_name() -> None:
    async with HttpReceiver() as chat:
        await Slack(receiver("slack", url=chat.url)).deliver(a_letter(200, model=HOSTILE), NOW_S)
    (body,) = chat.bodies
    assert "&lt;!channel&gt;" in body["text"] and "<!channel>" not in chat.requests[0][2].decode()
    assert len(body["blocks"]) <= 50 and body["blocks"][0]["text"]["text"] == "*[FIRING:200] slow*"
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"])
    assert body["blocks"][-1]["text"]["text"] == "<https://llmops.example.com|Open>"


async def test_a_mail_over_a_real_server() -> None:
    async with MailServer() as server:
        settings = receiver("email", host="127.0.0.1", port=server.port, tls="off", sender="gw@a.b", to=["on@c.d"])
        await Mail(settings).deliver(a_letter(model=HOSTILE), NOW_S)
    ((recipients, mail),) = server.mails
    assert (recipients, mail["Subject"], mail["Auto-Submitted"]) == (["on@c.d"], "[FIRING:1] slow", "auto-generated")
    assert "the p95 latency is 4.5 s, the limit 2 s" in mail.get_content() and mail["Bcc"] is None


def test_a_name_cannot_become_a_header() -> None:
    settings = receiver("email", host="h", sender="gw@a.b", to=["on@c.d"])
    hostile = msgspec.structs.replace(
        a_letter(), entries=[msgspec.structs.replace(a_letter().entries[0], rule="x\r\nBcc: all@example.com")]
    )
    assert message(hostile, settings, NOW_S)["Subject"] == "[FIRING:1] x Bcc: all@example.com"


@pytest.mark.parametrize(("to", "permanent"), [("nobody@c.d", True), ("on@c.d", False)])
async def test_a_mail_that_is_refused_says_why(to: str, permanent: bool) -> None:
    """A recipient that does not exist is final; a server that wants a password is a matter of configuration."""
    async with MailServer(login=None if permanent else ("u", "p")) as server:
        settings = receiver("email", host="127.0.0.1", port=server.port, tls="off", sender="gw@a.b", to=[to])
        with pytest.raises(DeliveryFailed) as failed:
            await Mail(settings).deliver(a_letter(), NOW_S)
    assert failed.value.permanent is permanent


async def test_tls_is_demanded_not_tried() -> None:
    async with MailServer() as server:
        settings = receiver("email", host="127.0.0.1", port=server.port, sender="gw@a.b", to=["on@c.d"])
        with pytest.raises(DeliveryFailed, match="SMTPNotSupportedError"):
            await Mail(settings).deliver(a_letter(), NOW_S)
    assert server.mails == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
async def test_the_shell_sends_a_test_by_mail_with_tls_and_a_password(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "IP:127.0.0.1")
    async with MailServer(server_context(pem), login=("gw", "pa55")) as server, HttpReceiver(404) as gone:
        (tmp_path / "llmops.yaml").write_text(
            f"""alerts:
  receivers:
    - {{name: mail, kind: email, host: 127.0.0.1, port: {server.port}, sender: gw@a.b, to: on@c.d,
       username_env: MAIL_USER, password_env: MAIL_PASSWORD}}
    - {{name: hook, kind: webhook, url: "{gone.url}"}}
"""
        )
        env = {"MAIL_USER": "gw", "MAIL_PASSWORD": "pa55"}
        arguments = ("alerts", "test", "--config", "llmops.yaml")
        asked = await asyncio.to_thread(
            llmops_process,
            *arguments,
            "mail",
            folder=tmp_path,
            env={**env, "SSL_CERT_FILE": str(tmp_path / "cert.pem")},
        )
        assert asked.returncode == 0, asked.stderr
        assert server.mails[0][1]["Subject"] == "[TEST FIRING:1] test" and server.was_encrypted == [True]
        stranger = await asyncio.to_thread(llmops_process, *arguments, "--json", folder=tmp_path, env=env)
        assert stranger.returncode == 1
        results = {each["receiver"]: each["error"] for each in msgspec.json.decode(stranger.stdout)}
        assert results == {
            "mail": f"SSLCertVerificationError: 127.0.0.1:{server.port}",
            "hook": "answered with status 404",
        }
        assert "s3cret" not in stranger.stdout + stranger.stderr


async def test_a_receiver_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async with HttpReceiver(0) as mute:
        with pytest.raises(DeliveryFailed) as failed:
            await Webhook(receiver("webhook", url=mute.url, timeout_seconds=0.2)).deliver(a_letter(), NOW_S)
    assert not failed.value.permanent


def test_pauses_grow_up_to_a_quarter_of_an_hour_and_mind_what_is_asked() -> None:
    assert [next_wait_s(attempt, None, 0.5) for attempt in (1, 2, 3, 20)] == [5, 10, 20, 900]
    assert next_wait_s(1, 60, 0.5) == 60
    assert (next_wait_s(1, None, 0.0), round(next_wait_s(1, None, 1.0), 9)) == (4, 6)
