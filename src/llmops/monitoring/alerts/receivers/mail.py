"""A mail by SMTP, in a thread: the standard library's client blocks.

TLS is demanded unless it is switched off, with the server's certificate checked against the system's; a password is
never sent without it. Addresses are the configuration's; what a caller made up cannot become a header, since the
message's own policy refuses line breaks there and they are taken out before.
"""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from ....alert_settings import ReceiverSettings
from ..letter import Letter, shown_labels
from .receiver import DeliveryFailed, secret_of

_MOST_SUBJECT = 180


class Mail:
    def __init__(self, settings: ReceiverSettings) -> None:
        """`ValueError` for a variable that is not set."""
        self.settings = settings
        self._user = secret_of(None, settings.username_env)
        self._password = secret_of(None, settings.password_env)

    async def deliver(self, letter: Letter, now_s: float) -> None:
        await asyncio.to_thread(self._send, message(letter, self.settings, now_s))

    def _send(self, mail: EmailMessage) -> None:
        settings = self.settings
        assert settings.host is not None
        try:
            with self._connected(settings.host) as server:
                if settings.tls == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._user is not None and self._password is not None:
                    server.login(self._user, self._password)
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as exc:
            codes = sorted({code for code, _ in exc.recipients.values()})
            raise DeliveryFailed(f"all recipients are refused ({codes})", permanent=min(codes) >= 500) from exc
        except smtplib.SMTPResponseException as exc:
            # 535 (credentials) and the like are mended in the configuration, not by giving the letter up
            raise DeliveryFailed(f"{type(exc).__name__}: the server says {exc.smtp_code}") from exc
        except (smtplib.SMTPException, OSError) as exc:
            raise DeliveryFailed(f"{type(exc).__name__}: {settings.host}:{settings.port}") from exc

    def _connected(self, host: str) -> smtplib.SMTP:
        settings = self.settings
        if settings.tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, settings.port, timeout=settings.timeout_seconds, context=context)
        return smtplib.SMTP(host, settings.port, timeout=settings.timeout_seconds)


def message(letter: Letter, settings: ReceiverSettings, now_s: float) -> EmailMessage:
    assert settings.sender is not None
    mail = EmailMessage()
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Subject"] = _one_line(letter.title)[:_MOST_SUBJECT]
    mail["Date"] = formatdate(now_s)
    mail["Message-ID"] = f"<{letter.id}@llmops.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text(letter))
    return mail


def text(letter: Letter) -> str:
    parts = [letter.title]
    for entry in letter.entries:
        until = f"\n  until     {entry.ends_at}" if entry.ends_at else ""
        parts.append(
            f"{entry.status.upper()} ({entry.severity}) {entry.text}\n"
            f"  rule      {entry.rule}\n"
            f"  labels    {_one_line(shown_labels(entry.labels))}\n"
            f"  since     {entry.starts_at}{until}"
        )
    if letter.left_out:
        parts.append(f"and {letter.left_out} more")
    if letter.link:
        parts.append(letter.link)
    return "\n\n".join(parts) + "\n"


def _one_line(value: str) -> str:
    return " ".join(value.split())
