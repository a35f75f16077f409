"""``llmops keys`` and ``llmops tenants`` beside a running gateway: keys as an operator and an application live them."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.serving import HOST, Server, free_port, llmops, running, until

KEY = re.compile(r"sk-[a-z0-9]{12}-[A-Za-z0-9]{48}\n")
PROMPT: list[Any] = [{"role": "user", "content": "Hello"}]


def create(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """A new key's text: all that the command prints to stdout."""
    asked = llmops("keys", "create", *arguments, folder=folder, env=env)
    assert asked.returncode == 0, asked.stderr
    assert KEY.fullmatch(asked.stdout), asked.stdout
    assert asked.stdout.strip() not in asked.stderr
    return asked.stdout.strip()


def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    asked = llmops("keys", "list", "--json", *arguments, folder=folder)
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    return found


def id_of(key: str) -> str:
    return key.split("-")[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as started:
        yield started


# --- the commands -----------------------------------------------------------------------------------------------


def test_the_life_of_a_key(tmp_path: Path) -> None:
    assert "no keys" in llmops("keys", "list", folder=tmp_path).stderr
    key = create(tmp_path, "bot", "--model", "gpt-*", "--operation", "chat", "--expires-days", "30", "--timeout", "2.5")
    (shown,) = listed(tmp_path)
    assert (shown["id"], shown["name"], shown["role"], shown["state"]) == (id_of(key), "bot", "caller", "active")
    assert (shown["models"], shown["operations"], shown["timeout_seconds"]) == (["gpt-*"], ["chat"], 2.5)

    rotated = llmops("keys", "rotate", id_of(key), "--grace-seconds", "5", "--json", folder=tmp_path)
    assert (
        json.loads(rotated.stdout)["key"].startswith(f"sk-{id_of(key)}-") and json.loads(rotated.stdout)["key"] != key
    )
    assert listed(tmp_path)[0]["previous_secret_until"] is not None

    revoked = llmops("keys", "revoke", id_of(key), folder=tmp_path)
    assert revoked.returncode == 0 and "is revoked" in revoked.stderr
    assert listed(tmp_path)[0]["state"] == "revoked"
    assert "revoked" in llmops("keys", "list", folder=tmp_path).stdout


def test_a_table_in_a_pipe_cuts_nothing_short(tmp_path: Path) -> None:
    name = "a name that is rather long " * 6
    key = create(tmp_path, name.strip())
    table = llmops("keys", "list", folder=tmp_path).stdout
    assert id_of(key) in table and name.strip() in table and "…" not in table and len(table.splitlines()) == 2


def test_tenants(tmp_path: Path) -> None:
    assert llmops("tenants", "create", "acme", "--name", "Acme Inc.", folder=tmp_path).returncode == 0
    key = create(tmp_path, "bot", "--tenant", "acme")
    assert llmops("tenants", "disable", "acme", folder=tmp_path).returncode == 0
    (tenant,) = json.loads(llmops("tenants", "list", "--json", folder=tmp_path).stdout)
    assert (tenant["id"], tenant["name"], tenant["disabled"]) == ("acme", "Acme Inc.", True)
    assert llmops("tenants", "enable", "acme", folder=tmp_path).returncode == 0
    assert "Acme Inc." in llmops("tenants", "list", folder=tmp_path).stdout
    assert [each["id"] for each in listed(tmp_path, "--tenant", "acme")] == [id_of(key)]
    assert listed(tmp_path, "--tenant", "nobody") == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["keys", "create", "n", "--role", "owner"], "must be known ones"),
        (["keys", "create", "n", "--operation", "fly"], "must be known ones"),
        (["keys", "create", "n", "--tenant", "nobody"], "there is no tenant 'nobody'"),
        (["keys", "create", "n", "--expires-days", "inf"], "expiry"),
        (["keys", "create", "n", "--expires-days", "1e12"], "expiry"),
        (["keys", "create", "n", "--expires-days", "0"], "expiry"),
        (["keys", "create", "n" * 201], "1 to 200 printable characters"),
        (["keys", "rotate", "aaaaaaaaaaaa"], "there is no API key"),
        (["keys", "rotate", f"sk-{'a' * 12}-{'b' * 48}"], "between the first two dashes"),
        (["keys", "revoke", "aaaaaaaaaaaa"], "there is no API key"),
        (["tenants", "create", "Not Plain"], "1 to 64 of a-z"),
        (["tenants", "disable", "nobody"], "there is no tenant"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_a_command_that_cannot_be_done_says_why(command: list[str], message: str, tmp_path: Path) -> None:
    asked = llmops(*command, folder=tmp_path)
    assert asked.returncode == 1 and asked.stdout == ""
    assert asked.stderr.startswith("error: ") and message in asked.stderr and "Traceback" not in asked.stderr
    assert "b" * 48 not in asked.stderr, "a whole key that was given for its id is not repeated"


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("sqlite:////proc/llmops.db", 1, "the database sqlite:////proc/llmops.db does not work"),
        ("postgresql://me:do-not-show@127.0.0.1:1/d", 1, "does not work"),
        ("mysql://me:do-not-show@h/d", 2, "must be sqlite or postgresql"),
        ("nonsense:do-not-show", 2, "is not a database URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_clear_error(url: str, status: int, message: str, tmp_path: Path) -> None:
    env = {"LLMOPS_DATABASE_URL": url, "LLMOPS_KEY_PEPPER": "p" * 32}
    asked = llmops("keys", "create", "n", folder=tmp_path, env=env)
    assert (asked.returncode, asked.stdout) == (status, "")
    assert message in asked.stderr and "Traceback" not in asked.stderr and "do-not-show" not in asked.stderr


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    asked = llmops("keys", "create", "n", folder=tmp_path)
    assert asked.returncode == 2 and "Traceback" not in asked.stderr
    assert "the pepper of the API keys cannot be used" in asked.stderr


def test_a_folder_without_the_right_to_write_is_a_clear_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the tests before this one cover the same errors")
    tmp_path.chmod(0o555)
    asked = llmops("keys", "create", "n", folder=tmp_path)
    assert asked.returncode != 0 and "Permission denied" in asked.stderr and "Traceback" not in asked.stderr


# --- beside a gateway -------------------------------------------------------------------------------------------


def test_the_first_key_closes_the_gateway_and_a_revocation_ends_it_at_once(server: Server, tmp_path: Path) -> None:
    assert server.chat(model="mock").status == 200, "open to its own machine while there are no keys"
    key = create(tmp_path, "bot")
    made_s = time.monotonic()
    until(lambda: server.chat().status == 401, "the gateway to close", 2)
    assert time.monotonic() - made_s < 2
    assert server.chat(key=key).status == 200

    assert llmops("keys", "revoke", id_of(key), folder=tmp_path).returncode == 0
    revoked_s = time.monotonic()
    until(lambda: server.chat(key=key).status == 401, "the revocation", 2)
    assert time.monotonic() - revoked_s < 2
    assert b"is revoked" in server.chat(key=key).body
    assert server.chat().status == 401, "the last key's end does not open the gateway again"


def test_the_sdks_work_with_a_key_and_say_so_with_a_wrong_one(server: Server, tmp_path: Path) -> None:
    key, wrong = create(tmp_path, "bot"), f"sk-{'a' * 12}-{'b' * 48}"
    until(lambda: server.chat().status == 401, "the gateway to close")

    def ask_openai(key: str) -> Any:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
            return client.chat.completions.create(model="mock", messages=PROMPT).choices[0].message.content

    def ask_anthropic(**credential: str) -> Any:
        with anthropic.Anthropic(base_url=server.url, max_retries=0, **credential) as client:  # type: ignore[arg-type]
            return client.messages.create(model="mock", max_tokens=50, messages=PROMPT).content[0]

    assert ask_openai(key) and ask_anthropic(api_key=key) and ask_anthropic(auth_token=key)
    for bad in (wrong, "unused", key[:-1] + ("a" if key[-1] != "a" else "b")):
        with pytest.raises(openai.AuthenticationError, match="the API key is not valid"):
            ask_openai(bad)
        with pytest.raises(anthropic.AuthenticationError, match="the API key is not valid"):
            ask_anthropic(api_key=bad)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key) as client:
        assert [model.id for model in client.models.list()] == ["mock"]


def test_the_log_names_key_and_tenant_and_the_secret_is_nowhere(server: Server, tmp_path: Path) -> None:
    assert llmops("tenants", "create", "acme", folder=tmp_path).returncode == 0
    caller = create(tmp_path, "bot", "--tenant", "acme")
    admin = create(tmp_path, "boss", "--role", "admin")
    wrong = f"sk-{id_of(caller)}-{'w' * 48}"
    until(lambda: server.get("/api/keys")[0] == 401, "the first keys")
    until(lambda: server.chat(key=caller).status == 200 and server.get("/api/keys", key=admin)[0] == 200, "the keys")
    seen = [
        server.chat(key=caller, model="nothing").body.decode(),
        server.chat(key=wrong).body.decode(),
        server.chat(key=admin).body.decode(),
        server.chat(key=caller, messages=7).body.decode(),
        str(server.get("/health")),
        str(server.get("/metrics", key=admin)),
        str(server.get("/api/keys", key=admin)),
        str(server.get("/api/config", key=admin)),
        str(server.get(f"/api/{caller}", key=wrong)),
    ]
    listing = llmops("keys", "list", "--json", folder=tmp_path)
    log = tmp_path / "runs/logs/gateway.jsonl"

    def keyed() -> dict[str, Any] | None:
        """The first answered call with a key."""
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return next((line for line in lines if line["status"] == 200 and line["key_id"] is not None), None)

    good = until(keyed, "the call in the log")
    text = log.read_text()
    assert (good["tenant"], good["key_id"]) == ("acme", id_of(caller))
    everything = "\n".join([*seen[:-1], listing.stdout, listing.stderr, text, server.said])
    for key in (caller, admin, wrong):
        assert key.split("-")[2] not in everything
    database = b"".join(file.read_bytes() for file in (tmp_path / "runs").glob("llmops.db*"))
    assert caller.split("-")[2].encode() not in database


# --- public addresses -------------------------------------------------------------------------------------------


def test_a_public_address_needs_an_administrators_key(tmp_path: Path) -> None:
    port = free_port()

    def refused() -> bool:
        asked = llmops("serve", "--host", "0.0.0.0", "--port", str(port), folder=tmp_path)
        return asked.returncode == 2 and "there is no administrator's key yet" in asked.stderr

    assert refused()
    create(tmp_path, "bot")
    assert refused(), "a key for calls is not enough"
    ended = create(tmp_path, "gone", "--role", "admin")
    assert llmops("keys", "revoke", id_of(ended), folder=tmp_path).returncode == 0
    assert refused(), "nor is one that has ended"
    admin = create(tmp_path, "boss", "--role", "admin")
    command = ["-m", "llmops", "serve", "--host", "0.0.0.0", "--port", str(port)]
    with running(command, tmp_path, port) as server:
        assert server.chat().status == 401
        assert server.get("/api/status", key=admin)[0] == 200


def test_another_server_on_a_public_address_serves_this_machine_only_without_keys(tmp_path: Path) -> None:
    """uvicorn binds where it is told; a proxy that it trusts tells it whom the request comes from."""
    port = free_port()
    command = [
        "-m",
        "uvicorn",
        "llmops.gateway:app",
        "--host",
        "0.0.0.0",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with running(command, tmp_path, port) as server:
        assert server.chat().status == 200
        for path in ("/v1/models", "/metrics", "/api/status"):
            with openai.DefaultHttpxClient() as client:
                asked = client.get(f"http://{HOST}:{port}{path}", headers={"X-Forwarded-For": "192.0.2.7"})
            assert asked.status_code == 401 and "its own machine only" in asked.text, path
