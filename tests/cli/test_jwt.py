"""The shell where tokens are accepted: public addresses, and what the doctor says of an issuer."""

import json
from pathlib import Path

import pytest

from llmops.cli.checks.issuers import check_issuers
from llmops.cli.serve import refuse_public_address
from llmops.errors import ConfigError
from tests.fakes.gateway import settings_for
from tests.identity.tokens import JwksServer, a_signer, an_issuer
from tests.serving import free_port, llmops, running


def test_a_public_address_needs_somebody_who_can_administer(tmp_path: Path) -> None:
    def settings(**fields: object) -> object:
        issuer = an_issuer(**fields).model_dump(exclude_unset=True)
        return settings_for(tmp_path / "logs", server={"host": "0.0.0.0"}, auth={"jwt": [issuer]})

    refuse_public_address(settings())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"configure a token issuer that can make administrators"):
        refuse_public_address(settings(roles={"use": "caller", "edit": "editor"}))  # type: ignore[arg-type]


def test_a_gateway_on_a_public_address_asks_everybody_for_a_token(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [a_signer().public()]}))
    file, port = tmp_path / "gateway.yaml", free_port()
    issuer = {"name": "corp", "issuer": "https://i", "audience": "a", "jwks_file": "keys.json"}
    file.write_text(json.dumps({"auth": {"jwt": [issuer]}}))
    command = ["-m", "llmops", "serve", "--host", "0.0.0.0", "--port", str(port), "--config", str(file)]
    with running(command, tmp_path, port) as server:
        assert server.chat().status == 401
        assert server.get("/api/status")[0] == 401


def test_a_check_finds_an_issuers_file_that_is_of_no_use(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    issuer = {"name": "corp", "issuer": "https://i", "audience": "a", "jwks_file": "missing.json"}
    file.write_text(json.dumps({"auth": {"jwt": [issuer]}}))
    asked = llmops("config", "check", str(file), folder=tmp_path)
    assert asked.returncode == 1 and "missing.json cannot be read" in asked.stderr


async def test_the_doctor_reads_every_issuers_keys(tmp_path: Path) -> None:
    async with JwksServer(a_signer()) as server:
        good = an_issuer(name="good", jwks_url=server.url)
        found = await check_issuers([good, an_issuer(name="bad", jwks_file=tmp_path / "missing")])
    assert [each.verdict for each in found] == ["ok", "error"]
    assert found[0].meaning == "1 key read" and "cannot be read" in found[1].meaning
