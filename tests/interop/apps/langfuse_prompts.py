"""An application of Langfuse's SDK: it reads and writes prompts, whoever serves them. Prints what it saw as JSON."""

import json
import os
import sys
from typing import Any

from langfuse import Langfuse

client = Langfuse(
    public_key="pk-anything",
    secret_key=os.environ["LANGFUSE_SECRET_KEY"],
    base_url=os.environ["LANGFUSE_BASE_URL"],
    tracing_enabled=False,
)


def failure(call: Any) -> dict[str, Any]:
    try:
        call()
    except Exception as exc:  # noqa: BLE001 - which class it is, is what is asked
        return {"error": type(exc).__name__, "said": str(exc)[:500]}
    return {"error": None}


made = client.create_prompt(
    name="movies/critic",
    prompt="As a {{level}} critic, do you like {{movie}}?",
    labels=["production"],
    tags=["film"],
    config={"model": "mock", "languages": ["en"]},
    commit_message="first",
)
client.create_prompt(
    name="movies/chat",
    type="chat",
    prompt=[
        {"role": "system", "content": "You are a {{level}} critic"},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{movie}}?"},
    ],
    labels=["production"],
)
text = client.get_prompt("movies/critic")
chat = client.get_prompt("movies/chat", type="chat")
second = client.create_prompt(name="movies/critic", prompt="Shorter: {{movie}}", labels=["staging"])
cached = client.get_prompt("movies/critic")
staged = client.get_prompt("movies/critic", label="staging")
numbered = client.get_prompt("movies/critic", version=1)
client.update_prompt(name="movies/critic", version=2, new_labels=["production"])
fresh = client.get_prompt("movies/critic", cache_ttl_seconds=0)
listed = client.api.prompts.list(name="movies/critic")
raw = client.api.prompts.get("movies/critic", resolve=False)

json.dump(
    {
        "made": [made.name, made.version, made.labels, made.tags, made.config, made.commit_message],
        "text": text.compile(level="strict", movie="Dune {{level}}"),
        "variables": text.variables,
        "chat": chat.compile(level="kind", movie="Alien", history=[{"role": "user", "content": "before"}]),
        "second": second.version,
        "cached": cached.version,
        "staged": staged.version,
        "numbered": [numbered.version, numbered.is_fallback],
        "fresh": fresh.version,
        "listed": [listed.data[0].name, listed.data[0].versions, sorted(listed.data[0].labels), listed.data[0].tags],
        "raw": raw.prompt,
        "fallback": client.get_prompt("none", fallback="plain {{x}}", max_retries=0).compile(x=1),
        "missing": failure(lambda: client.get_prompt("none", max_retries=0)),
        "refused": failure(lambda: client.create_prompt(name="bad", prompt="{{#if x}}")),
        "denied": failure(
            lambda: Langfuse(
                public_key="pk-other",
                secret_key="sk-wrong",
                base_url=os.environ["LANGFUSE_BASE_URL"],
                tracing_enabled=False,
            ).get_prompt("movies/critic", max_retries=0)
        ),
    },
    sys.stdout,
)
client.shutdown()
