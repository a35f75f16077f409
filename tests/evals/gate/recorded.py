"""Word problems in the manner of gsm8k, with answers of two made-up models: one good, one that errs in a third."""

import json
from pathlib import Path

COUNT = 150


def write(folder: Path) -> None:
    """``recorded.jsonl`` for the replay, ``cases.jsonl`` for the gate."""
    recorded, cases = [], []
    for number in range(COUNT):
        eggs, price = 3 + number % 17, 2 + number % 5
        prompt = f"Problem {number}: {eggs} eggs are sold at ${price} each. How many dollars is that?"
        right = eggs * price
        recorded.append(
            {
                "prompt": prompt,
                "good": {
                    "response": f"{eggs} x {price} = {right + (number % 40 == 0)}\n#### {right + (number % 40 == 0)}"
                },
                "twin": {"response": f"That makes ${right + (number % 40 == 1)}."},
                "weak": {"response": f"I think so.\n#### {right + (number % 3 == 0)}"},
            }
        )
        cases.append({"id": f"p{number}", "input": prompt, "reference": str(right)})
    for name, lines in (("recorded.jsonl", recorded), ("cases.jsonl", cases)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
