"""Who plays: six tenants of one company, what their applications do, and what their users say about it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["talk", "search", "extract", "agent", "write", "report"]
"""What a visit is: a conversation, a RAG question, an invoice, a coding task, a text, a line of a nightly report."""


@dataclass(frozen=True)
class Tenant:
    """Who pays. ``share`` is of all visits; ``model`` is what it calls; ``users`` is how many people it has."""

    id: str
    name: str
    kind: Kind
    share: float
    users: int
    model: str
    tags: dict[str, str]


TENANTS = (
    Tenant("helpdesk", "Help desk", "talk", 0.22, 60, "assistant", {"feature": "support-chat", "env": "prod"}),
    Tenant("webshop", "Web shop", "search", 0.22, 400, "assistant-mini", {"feature": "product-search", "env": "prod"}),
    Tenant("backoffice", "Back office", "extract", 0.20, 12, "extractor", {"feature": "invoices", "env": "prod"}),
    Tenant("devtools", "Developer tools", "agent", 0.06, 25, "reasoner", {"feature": "code-agent", "env": "staging"}),
    Tenant("growth", "Growth marketing", "write", 0.12, 8, "writer", {"feature": "campaigns", "env": "prod"}),
    Tenant("analytics", "Analytics", "report", 0.18, 1, "assistant-mini", {"feature": "reports", "env": "batch"}),
)
BY_ID = {tenant.id: tenant for tenant in TENANTS}
EMBEDDINGS = "embedder"

QUESTIONS = (
    "How do I return a pair of shoes that do not fit?",
    "Which rain jacket keeps dry on a bike ride of an hour?",
    "Is there a tent for four people below 3 kg?",
    "What is the difference between the two hiking boots?",
    "When does my order arrive if I pay today?",
    "Can I pick up the parcel at the shop in the station?",
    "Does the blue backpack fit under an aeroplane's seat?",
    "Do you repair zips?",
    "Which sleeping bag is right for five degrees?",
    "How do I wash down without ruining it?",
    "What sizes does the children's helmet come in?",
    "Is the gift card valid for sale items?",
)
SUBJECTS = (
    "my invoice",
    "a parcel that is late",
    "my password",
    "a refund",
    "the app on my phone",
    "two subscriptions",
)
TASKS = ("make the importer skip empty lines", "find why the login test is flaky", "add paging to the orders page")
PRAISE = ("solved it at once", "clear and short", "exactly what I needed", "")
BLAME = ("far too long", "did not answer my question", "repeats itself", "wrong product", "")
FILLER = (
    "the customer wrote that the order came late and asked for what can be done about it since the gift was meant for "
    "a birthday on Friday and the shop is far away so that a return by post would be the easiest way for everybody "
)
INVOICE_SCHEMA = {
    "type": "object",
    "properties": {
        "supplier": {"type": "string", "minLength": 3},
        "number": {"type": "string", "minLength": 4},
        "net": {"type": "number", "minimum": 0},
        "vat": {"type": "number", "minimum": 0},
        "is_paid": {"type": "boolean"},
    },
    "required": ["supplier", "number", "net", "vat", "is_paid"],
    "additionalProperties": False,
}
TOOLS = ("read_file", "run_tests", "apply_patch")


def text_of(tokens: int, start: int) -> str:
    """A text of about so many tokens. Another start, another text."""
    begin = start % len(FILLER)
    times = tokens * 4 // len(FILLER) + 2
    return (FILLER * times)[begin : begin + tokens * 4]
