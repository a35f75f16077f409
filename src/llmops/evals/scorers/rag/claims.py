"""The claims of an answer, and whether contexts bear them out: what faithfulness and hallucination both count."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ...judge import TEXT, Hearing, Prompt, a_list, an_object, one_for_each

Verdict = Literal["supported", "contradicted", "absent"]

CLAIMS = Prompt(
    name="claims",
    instructions=(
        "Break the answer up into its claims: short sentences that each state one fact and can be understood without "
        "the others, with names in the place of pronouns. Use the question only to understand the answer. Leave out "
        "greetings, questions, opinions about the asker and remarks that nothing is known. An answer that states "
        "nothing has no claims: give an empty list."
    ),
    schema=an_object(claims=a_list(TEXT)),
)
VERDICTS = Prompt(
    name="verdicts",
    instructions=(
        "Decide about each claim, in the given order, by the contexts alone and not by what you know yourself. "
        "'supported': the contexts state it or it follows directly. 'contradicted': the contexts say otherwise. "
        "'absent': the contexts do not settle it. Give one verdict for each claim, with a short reason before it."
    ),
    schema=an_object(
        verdicts=a_list(an_object(reason=TEXT, verdict={"enum": ["supported", "contradicted", "absent"]}))
    ),
)


class Claim(NamedTuple):
    text: str
    verdict: Verdict
    reason: str

    def told(self) -> dict[str, str]:
        return {"claim": self.text, "verdict": self.verdict, "reason": self.reason}


async def claims_of(hearing: Hearing, question: str, answer: str, contexts: Sequence[str]) -> list[Claim]:
    """Each claim of the answer with its verdict; none if it states nothing."""
    if not answer.strip():
        return []
    said: Any = await hearing.ask(CLAIMS, {"question": question, "answer": answer})
    claims: list[str] = said["claims"]
    if not claims:
        return []
    if not contexts:
        return [Claim(each, "absent", "nothing was looked up") for each in claims]
    material = {"claims": claims, "contexts": list(contexts)}
    judged: Any = await hearing.ask(VERDICTS, material, check=one_for_each("verdicts", len(claims)))
    return [
        Claim(claim, each["verdict"], each["reason"]) for claim, each in zip(claims, judged["verdicts"], strict=True)
    ]
