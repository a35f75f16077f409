"""The words of the workshop: a prompt's versions, the questions that the help desk examines its bot with, flags."""

from typing import Any

PROMPTS = (
    "You answer customers of {{shop}}. Be friendly. Goods can be returned within {{days}} days.\n"
    "Never promise a refund before the goods have arrived.",
    "You answer customers of {{shop}}. Be friendly, and ask for the order number first.\n"
    "Goods can be returned within {{days}} days, in their box.\n"
    "Never promise a refund before the goods have arrived.",
    "You answer customers of {{shop}} in one sentence.\nGoods can be returned within {{days}} days.",
)
VARIABLES = {
    "shop": {"type": "string", "default": "Alpine Outfitters", "description": "As the letterhead has it"},
    "days": {"type": "integer", "default": 30},
}
_ASKED = (
    ("refunds", "en", "My parcel came back to you. When do I get my money?", "within 14 days"),
    ("refunds", "en", "I paid with a gift card. How is it refunded?", "to a new gift card"),
    ("refunds", "de", "Bekomme ich den Versand erstattet?", "ja"),
    ("delivery", "en", "Can I change the address after I have ordered?", "until it is packed"),
    ("delivery", "de", "Liefern Sie in die Schweiz?", "ja"),
    ("delivery", "en", "How long does delivery to Norway take?", "5 days"),
    ("returns", "en", "How many days do I have to return boots?", "30 days"),
    ("returns", "en", "The box is torn. Can I still return the tent?", "yes"),
    ("returns", "de", "Kann ich getragene Schuhe zurückgeben?", "nein"),
    ("account", "en", "I forgot my password. What now?", "use the link on the sign-in page"),
    ("account", "en", "How do I cancel one of my two subscriptions?", "under settings, subscriptions"),
    ("account", "de", "Wo finde ich meine Rechnungen?", "unter Bestellungen"),
)
_ITEMS = ("", " It is about order 4711.", " I asked yesterday already.", " Please be quick.")
CASES: list[dict[str, Any]] = [
    {
        "id": f"{topic}-{number:02}-{number_of_item}",
        "input": asked + item,
        "reference": right,
        "metadata": {"topic": topic, "lang": language},
    }
    for number_of_item, item in enumerate(_ITEMS)
    for number, (topic, language, asked, right) in enumerate(_ASKED)
]


def answer_of(case: dict[str, Any], skill: float = 0.8) -> str:
    """What a bot of that skill says: the same at every time, and less often right about refunds."""
    hard = 0.25 if case["metadata"]["topic"] == "refunds" else 0.0
    place = sum(map(ord, case["id"])) * 0.618034 % 1.0
    return str(case["reference"]) if place < skill - hard else "I am not sure; a colleague will write to you."


FLAGS: dict[str, dict[str, Any]] = {
    "new-search": {
        "kind": "boolean",
        "variants": {"on": True, "off": False},
        "default": "off",
        "split": {"on": 25, "off": 75},
        "description": "Semantic search in the shop, for a quarter of the visitors.",
    },
    "answer-style": {
        "kind": "string",
        "variants": {"short": "Answer in one sentence.", "warm": "Answer warmly, in two or three sentences."},
        "default": "warm",
        "description": "How the help desk's bot speaks.",
        "rules": [
            {"name": "our own people", "when": {"attribute": "staff", "equals": True}, "serve": "short"},
            {
                "name": "phones",
                "when": {"all": [{"attribute": "device", "in": ["phone", "watch"]},
                                 {"attribute": "app.version", "semver": ">=2.3.0"}]},
                "split": {"short": 50, "warm": 50},
            },
        ],
    },
}  # fmt: skip
