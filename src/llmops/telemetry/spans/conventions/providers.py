"""Names of providers: the ones of OpenTelemetry's registry, for all the names that conventions have had for them."""

from typing import Any

from .values import name

_REGISTERED = {
    "aws": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "together": "together_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def provider(value: Any) -> str | None:
    """Lower case, since instrumentations write both ``OpenAI`` and ``openai``. ``_OTHER`` names none."""
    found = name(value)
    if found is None or found == "_OTHER":
        return None
    found = found.lower()
    return _REGISTERED.get(found, found)
