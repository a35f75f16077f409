"""A real SMTP server on this machine, as much as a test needs: EHLO, STARTTLS, AUTH PLAIN, one message at a time."""

import asyncio
import base64
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.monitoring.alerts.stand import Listener


class MailServer(Listener):
    """``mails`` are those that came whole. With a ``login`` nothing is taken without it, nor it without TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, login: tuple[str, str] | None = None) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.was_encrypted: list[bool] = []
        self._tls = tls
        self._login = login

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted, known, recipients = False, self._login is None, list[str]()

        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 test")
        while line := (await reader.readline()).decode().strip():
            command = line.upper()
            if command.startswith("EHLO"):
                say("250-test")
                say("250 AUTH PLAIN" if encrypted or self._tls is None else "250 STARTTLS")
            elif command == "STARTTLS" and self._tls is not None:
                say("220 go on")
                await writer.start_tls(self._tls)
                encrypted = True
            elif command.startswith("AUTH PLAIN ") and self._login is not None:
                _, user, password = base64.b64decode(line[11:]).decode().split("\0")
                known = encrypted and (user, password) == self._login
                say("235 welcome" if known else "535 no")
            elif command.startswith("MAIL"):
                say("250 yes" if known else "530 who are you")
            elif command.startswith("RCPT"):
                refused = "nobody" in line
                recipients += [] if refused else [line.partition("<")[2].rstrip(">")]
                say("550 no such user" if refused else "250 yes")
            elif command == "DATA":
                say("354 go on")
                raw = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append((recipients, message_from_bytes(raw[:-5], policy=policy.default)))
                self.was_encrypted.append(encrypted)
                say("250 taken")
            elif command == "QUIT":
                say("221 bye")
                break
            else:
                say("250 yes")
            await writer.drain()
