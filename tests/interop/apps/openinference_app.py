"""An application that is instrumented by OpenInference: run with the addresses of the gateway and the collector."""

import sys

import httpx2
from openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

GATEWAY, COLLECTOR = sys.argv[1:]
MESSAGES = [{"role": "user", "content": "Weather in Paris?"}]

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{COLLECTOR}/v1/traces")))
OpenAIInstrumentor().instrument(tracer_provider=provider)


def carry(request: httpx2.Request) -> None:
    """OpenInference leaves it to the HTTP client to carry the trace on."""
    propagate.inject(request.headers)


client = OpenAI(base_url=f"{GATEWAY}/v1", api_key="none", http_client=httpx2.Client(event_hooks={"request": [carry]}))
tracer = provider.get_tracer("shop")
with (
    using_attributes(session_id="s-1", user_id="alice"),
    tracer.start_as_current_span("answer", attributes={"openinference.span.kind": "CHAIN"}),
):
    with tracer.start_as_current_span(
        "search", attributes={"openinference.span.kind": "TOOL", "tool.name": "search", "output.value": "Mild."}
    ):
        pass
    client.chat.completions.create(model="mock", messages=MESSAGES)
    stream = client.chat.completions.create(
        model="mock", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="mock", input="Paris")
