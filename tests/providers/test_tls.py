"""TLS to upstreams: certificates are checked, and a refusal says why and what to do."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from llmops.errors import UpstreamError, UpstreamUnreachable
from llmops.providers.transport import Origin, Transport
from llmops.types import Timeouts
from tests.fakes.upstream import Upstream, answering

REQUEST = b"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def certificate(directory: Path, name: str) -> Path:
    """A self-signed certificate and its key in one file."""
    path = directory / "server.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        f"subjectAltName={name}",
        "-keyout",
        str(directory / "key.pem"),
        "-out",
        str(directory / "cert.pem"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes((directory / "cert.pem").read_bytes() + (directory / "key.pem").read_bytes())
    return path


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def fetch(url: str) -> bytes:
    transport = Transport(Timeouts(connect_s=1, first_byte_s=1))
    try:
        exchange = await transport.request(Origin.of(url), REQUEST)
        return await exchange.body(1000)
    finally:
        await transport.aclose()
        await asyncio.sleep(0.01)
        assert transport.open_connections == 0


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    context = server_context(certificate(tmp_path, "IP:127.0.0.1"))
    async with Upstream(answering(200, b"{}"), tls=context) as upstream:
        with pytest.raises(UpstreamUnreachable, match=r"(?s)not trusted \(self.signed certificate.*SSL_CERT_FILE"):
            await fetch(upstream.url)
        assert upstream.requests == []


async def test_an_authority_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path, "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with Upstream(answering(200, b"{}"), tls=server_context(path)) as upstream:
        assert await fetch(upstream.url) == b"{}"


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path, "DNS:elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with Upstream(answering(200, b"{}"), tls=server_context(path)) as upstream:
        with pytest.raises(UpstreamUnreachable, match=r"not trusted .*(mismatch|not valid)"):
            await fetch(upstream.url)


async def test_a_server_without_tls_is_said_so() -> None:
    async with Upstream(answering(200, b"{}")) as upstream:
        with pytest.raises(UpstreamError, match=r"TLS|no connection"):
            await fetch(upstream.url.replace("http:", "https:"))
