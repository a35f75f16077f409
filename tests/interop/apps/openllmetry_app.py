"""An application that is instrumented by ``traceloop-sdk``: run with the addresses of the gateway and the collector."""

import sys

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import tool, workflow

GATEWAY, COLLECTOR = sys.argv[1:]
MESSAGES = [{"role": "user", "content": "Weather in Paris?"}]

Traceloop.init(
    app_name="shop",
    exporter=OTLPSpanExporter(endpoint=f"{COLLECTOR}/v1/traces"),
    disable_batch=True,
    telemetry_enabled=False,
)
client = OpenAI(base_url=f"{GATEWAY}/v1", api_key="none")


@tool(name="search")
def search(question: str) -> list[str]:
    return ["Mild."]


@workflow(name="answer")
def answer() -> None:
    Traceloop.set_association_properties({"session_id": "s-1", "user_id": "alice"})
    search("Paris")
    client.chat.completions.create(model="mock", messages=MESSAGES)
    stream = client.chat.completions.create(
        model="mock", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="mock", input="Paris")


answer()
