"""A question answered from documents, as one trace: retrieve, grade, generate, with the gateway's call as the leaf.

Start a gateway (`llmops serve`) and run ``python examples/traced_rag.py "How long do refunds take?"``. It needs the
`openai` package; the mock model answers without a key.
"""

import os
import sys

import httpx2
from openai import OpenAI

from llmops import tracing

GATEWAY = os.environ.get("GATEWAY", "http://127.0.0.1:8000")
KEY = os.environ.get("LLMOPS_KEY")

DOCUMENTS = [
    "Refunds are paid within 30 days of the return.",
    "Parcels leave the warehouse on the day of the order.",
    "The shop is closed on public holidays.",
]

client = OpenAI(
    base_url=f"{GATEWAY}/v1",
    api_key=KEY or "none",
    http_client=httpx2.Client(event_hooks={"request": [tracing.on_request]}),  # carries the trace to the gateway
)


def words(text: str) -> set[str]:
    return set(text.lower().rstrip("?.").split())


@tracing.step("retrieve")
def retrieve(question: str) -> list[str]:
    """The documents that share the most words with the question."""
    return sorted(DOCUMENTS, key=lambda document: -len(words(document) & words(question)))[:2]


def grade(question: str, documents: list[str]) -> list[str]:
    """Those of them that have anything to do with it."""
    with tracing.step("grade") as step:
        relevant = [document for document in documents if words(document) & words(question)]
        step.set(documents=len(documents), relevant=len(relevant))
        return relevant


@tracing.step("generate")
def generate(question: str, documents: list[str]) -> str:
    context = "\n".join(documents) or "Nothing is known."
    answer = client.chat.completions.create(
        model="mock",
        messages=[
            {"role": "system", "content": f"Answer from this:\n{context}"},
            {"role": "user", "content": question},
        ],
    )
    return answer.choices[0].message.content or ""


@tracing.step("answer")
def answer(question: str) -> str:
    return generate(question, grade(question, retrieve(question)))


def main() -> None:
    tracing.configure(endpoint=GATEWAY, api_key=KEY, service="shop")
    with tracing.labelled(session="example", user="alice"):
        print(answer(" ".join(sys.argv[1:]) or "How long do refunds take?"))
    tracing.flush(5)
    print(tracing.tally(), file=sys.stderr)


if __name__ == "__main__":
    main()
