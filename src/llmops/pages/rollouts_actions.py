"""The four orders that a person may give a rollout: dialogs that say what will happen and take a reason."""

from collections.abc import Callable
from typing import Any

from ..viewing import manage, words
from ..viewing.manage import Done
from ..viewing.view import View

_WHAT = {
    "pause": ("Pause a rollout", "Pause", "The share stays as it is; nothing is promoted until somebody resumes. "
              "Harm is still acted on: it is rolled back."),
    "resume": ("Resume a rollout", "Resume", "The evidence decides again; after a deadline it gets another one."),
    "promote": ("Go one step up", "Go up", "The next share is given <b>without waiting for evidence</b>."),
    "rollback": ("Roll back", "Roll back", "All traffic goes back to the stable release, on every replica, at once."),
}  # fmt: skip
_DONE = {"pause": "Paused", "resume": "Resumed", "promote": "Went up", "rollback": "Rolled back"}


def _ordering(what: str) -> Callable[[View, Any], None]:
    title, button, will = _WHAT[what]

    def asked(view: View, found: dict[str, Any]) -> None:
        manage.confirm(
            view,
            title,
            [f"<b>{words.html(found['name'], 100)}</b>, {words.html(found['candidate'])}: {will}"],
            button=button,
            send=lambda why: view.send("POST", f"/api/rollouts/{found['id']}/{what}", {"reason": why}),
            done=lambda answer: Done(_DONE[what], f"{answer['name']}: {answer['share'] * 100:g} % gets the candidate."),
        )

    return asked


DIALOGS = {f"rollout-{what}": _ordering(what) for what in _WHAT}
