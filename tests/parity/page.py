"""The matrix as a page of the reference."""
# ruff: noqa: E501 - rows of tables

from pathlib import Path

from .observation import DIALECTS, PROVIDERS, Cell, Matrix

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "parity.md"
_PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
_COLUMNS = {"compatible": "openai (chat only)"}
_INTRODUCTION = """\
# What works across dialects

Which features of each client dialect reach which provider. This page is written by `python -m tests.parity` from
observed behaviour: every cell is a call through the whole pipeline to an upstream that shows what it was sent. A test
fails while the page and the behaviour differ.

| word | meaning |
|---|---|
| native | client and provider speak the same dialect: the body passes through as it came, unknown parameters included |
| translated | the feature arrives in the provider's own form, and what answers it comes back in the client's |
| 400 `x` | refused, naming `x`. With `X-LLMOps-Allow-Dropped: true` the call goes on without it, and the response's header `X-LLMOps-Dropped` says so; JSON that has no reading at all stays a 400 |
| yes | the mock's answer shows the feature |
| accepted | the mock takes it, and has no use for it |
| | the dialect has no field for it |

A streamed call behaves like a complete one, except where a cell names both. `openai` stands for OpenAI and every server
that has Responses (preset `vllm`); `openai (chat only)` for compatible servers that offer Chat Completions alone.
"""
_NOTES = """
## Carried where no field exists

| what | where it rides |
|---|---|
| the signature of Gemini's tool calls | `extra_content.google.thought_signature` beside the call, in all three dialects |
| signatures and opaque parts of reasoning | chat: `reasoning_details`; responses: inside `encrypted_content`; messages: `signature`, `redacted_thinking` |
| the stop sequence that was met | chat: `stop_reason` beside `finish_reason`, as vLLM has it |

A client that hands the model's turn back as it came, as the official SDKs do, brings them along. To a provider that
cannot take them they are refused by name, like any other part.

## Lost, and said to be

An answer is worth having even where a part of it has no place: what did not come along is named in the response's
`X-LLMOps-Dropped` and in the log's `dropped_parameters`. In a stream the header has usually been sent by then.

| what | name |
|---|---|
| citations of an Anthropic answer, for a client of another dialect | `reply.citations` |
| annotations of an OpenAI answer, for a client of another dialect | `reply.annotations` |

Responses has no field for the stop sequence that was met.
"""


def render(matrix: Matrix) -> str:
    sections = [_INTRODUCTION]
    for dialect in DIALECTS:
        head = [_COLUMNS.get(name, name) for name in PROVIDERS]
        lines = [f"\n## `{_PATHS[dialect]}`\n", f"| feature | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
        for feature, cells in matrix[dialect].items():
            shown = [_cell(cells[name]) for name in PROVIDERS]
            lines.append(f"| {feature} | {' | '.join(shown)} |")
        sections.append("\n".join(lines) + "\n")
    return "".join([*sections, _NOTES])


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    whole, streamed = cell
    return whole if whole == streamed else f"{whole}; streamed: {streamed}"
