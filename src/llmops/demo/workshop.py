"""What the company's engineers do meanwhile, over HTTP as people do: prompts with versions, two releases and a rollout
from one to the other, flags, a dataset, a queue that people review.

Each is done at its minute of the hour, by the gateway's own clock. A change that is refused ends the demo's work here
with what was said: it is a mistake of this file.
"""

import asyncio
from typing import Any

from . import workshop_texts as texts
from .client import Client
from .script import HOUR_MINUTES

TENANT = "helpdesk"
BOT = "support-bot"
"""The released name that the help desk's chats ask for, once it is known."""
PROMPT = "support/answer"
QUEUE, DATASET = "answers-of-support", "support-questions"
_PATIENCE = 600
_SHARES = (20, 50, 100)
_STEP_MINUTES = 31.0
"""So that the rollout is under way when the hour is over, at its second step or, where the first proved too little, the
first."""
_ROLLOUT_MINUTE, _NEW_PROMPT_MINUTE, _BACK_MINUTE = 4.0, 38.0, 51.0
_REVIEWERS = ("Ada", "Grace")


class Refused(RuntimeError):
    """The gateway did not take a change."""


class Workshop:
    """``key`` is an administrator's; ``caller`` the help desk's own. ``minutes`` is how long the hour is."""

    def __init__(self, client: Client, key: str, caller: str, minutes: float) -> None:
        self.is_released = False
        """Whether calls may ask for `BOT`."""
        self._client = client
        self._key = key
        self._caller = caller
        self._minute_s = minutes * 60 / HOUR_MINUTES

    async def work(self) -> None:
        """From the first minute to the last change of the hour; nothing where an earlier demo has done it."""
        if await self._is_done():
            await self._until_known()
            return
        loop = asyncio.get_running_loop()
        begun_s = loop.time()

        async def at(minute: float) -> None:
            await asyncio.sleep(max(0.0, begun_s + minute * self._minute_s - loop.time()))

        await self._publish(0, "first", ["production"])
        await self._publish(1, "asks for the order number at once", ["production"])
        live = await self._release("assistant", 2, "the bot as it is")
        await self._send("POST", f"/api/releases/{live}/live", {"reason": "begin"})
        await self._raise_flags()
        await self._collect()
        await self._until_known()
        await at(_ROLLOUT_MINUTE)
        candidate = await self._release("assistant-mini", 2, "a tenth of the cost; is it as good?")
        await self._roll_out(candidate)
        await self._review()
        await at(_NEW_PROMPT_MINUTE)
        await self._publish(2, "shorter, as marketing asked", ["production"])
        await self._say(3, "Users frown: it sounds curt, and it forgets to ask for the order number.")
        await at(_BACK_MINUTE)
        back = {"name": PROMPT, "label": "production", "reason": "helpful fell from 0.9 to 0.4"}
        await self._send("POST", "/api/prompts/rollback", back)

    async def _publish(self, number: int, comment: str, labels: list[str]) -> None:
        await self._send("POST", "/api/prompts", {
            "name": PROMPT,
            "messages": [{"role": "system", "content": texts.PROMPTS[number]}, {"placeholder": "history"}],
            "variables": texts.VARIABLES,
            "comment": comment,
            "labels": labels,
            "tags": ["support"],
        })  # fmt: skip

    async def _say(self, version: int, text: str) -> None:
        await self._send("POST", "/api/prompts/comments", {"name": PROMPT, "version": version, "text": text})

    async def _release(self, model: str, version: int, reason: str) -> str:
        bundle = {
            "name": BOT,
            "model": model,
            "prompt": {"name": PROMPT, "version": version},
            "parameters": {"temperature": 0.2, "max_tokens": 800},
        }
        made = await self._send("POST", "/api/releases", {"bundle": bundle, "reason": reason})
        return str(made["id"])

    async def _roll_out(self, candidate: str) -> None:
        step_s = round(_STEP_MINUTES * self._minute_s)
        plan = {
            "name": BOT,
            "candidate": candidate,
            "steps": list(_SHARES),
            "min_units": 40,
            "min_time": f"{max(step_s, 1)}s",
            "settle": f"{max(1, round(self._minute_s))}s",
            "guards": [
                {"metric": "error", "margin": 0.1, "weight": 2},
                {"metric": "slow", "margin": 0.15, "threshold_ms": 6000},
                {"metric": "cost", "margin": 0.2, "cap_usd": 0.05, "tier": "guard"},
            ],
        }
        await self._send("POST", "/api/rollouts", {"plan": plan, "reason": "the small model for the help desk"})

    async def _raise_flags(self) -> None:
        for key, flag in texts.FLAGS.items():
            await self._send("PUT", f"/api/flags/{key}", flag)

    async def _collect(self) -> None:
        for count, note in ((18, "asked in the first week"), (len(texts.CASES), "more on refunds")):
            given = {"name": DATASET, "cases": texts.CASES[:count], "note": note}
            await self._send("POST", "/api/datasets", given)

    async def _review(self) -> None:
        """A queue with answers of two people, who agree but for one."""
        queue = {"name": QUEUE, "question": "correctness", "kind": "choices", "choices": ["right", "wrong"],
                 "instructions": "Would the customer be helped by this?", "reviewers": 2}  # fmt: skip
        await self._send("POST", "/api/review/queues", queue)
        items = [{"input": case["input"], "output": texts.answer_of(case), "reference": case["reference"],
                  "metadata": case["metadata"]} for case in texts.CASES]  # fmt: skip
        await self._send("POST", f"/api/review/queues/{QUEUE}/items", {"items": items})
        for number in range(8):
            for who in _REVIEWERS:
                item = (await self._send("POST", f"/api/review/queues/{QUEUE}/next", {"reviewer": who}))["item"]
                is_right = number % 4 != 3 and not (number == 5 and who == _REVIEWERS[1])
                given = {"reviewer": who, "answer": "right" if is_right else "wrong"}
                await self._send("POST", f"/api/review/queues/{QUEUE}/items/{item['id']}/answer", given)

    async def _is_done(self) -> bool:
        answer = await self._client.send("GET", f"/api/prompts/versions?name={PROMPT}&tenant={TENANT}", None, self._key)
        return answer.is_well

    async def _until_known(self) -> None:
        """Until calls find the release: gateways follow within a second, which is a minute of ours."""
        for _ in range(_PATIENCE):
            answer = await self._client.send("GET", "/v1/models", None, self._caller)
            names = [each["id"] for each in (answer.json() or {}).get("data", ())]
            if BOT in names:
                self.is_released = True
                return
            await asyncio.sleep(1.0)

    async def _send(self, method: str, path: str, body: Any) -> Any:
        answer = await self._client.send(method, f"{path}?tenant={TENANT}", body, self._key)
        if not answer.is_well:
            raise Refused(f"{method} {path}: {answer.status}: {answer.body[:300]!r}")
        return answer.json()
