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
_OF_ARMS = {
    "pause": "The live release alone serves until somebody resumes.",
    "resume": "The arms get their shares again, and the evidence goes on.",
    "promote": "The best arm becomes the live release, for all traffic.",
}
_MAKE_LIVE = "Make it live", "Made live", "Make the best arm live"
_OF_A_SHADOW = {
    "pause": "Nothing is mirrored until somebody resumes.",
    "resume": "Calls are mirrored again; after a deadline it gets another one. The budget stays what it is.",
    "rollback": "Nothing is mirrored any more. Callers notice nothing: they got the live release's answers all along.",
}
_DONE = {"pause": "Paused", "resume": "Resumed", "promote": "Went up", "rollback": "Rolled back"}


def _ordering(what: str) -> Callable[[View, Any], None]:
    title, button, will = _WHAT[what]

    def asked(view: View, found: dict[str, Any]) -> None:
        told = _OF_ARMS.get(what, will) if found["arms"] else will
        if found["kind"] == "shadow":
            told = _OF_A_SHADOW.get(what, will)
        is_made_live = what == "promote" and bool(found["arms"])
        manage.confirm(
            view,
            _MAKE_LIVE[2] if is_made_live else title,
            [f"<b>{words.html(found['name'], 100)}</b>, {words.html(found['candidate'])}: {told}"],
            button=_MAKE_LIVE[0] if is_made_live else button,
            send=lambda why: view.send("POST", f"/api/rollouts/{found['id']}/{what}", {"reason": why}),
            done=lambda answer: Done(
                _MAKE_LIVE[1] if is_made_live else _DONE[what],
                f"{answer['name']}: {answer['share'] * 100:g} % gets {_whom(answer)}.",
            ),
        )

    return asked


def _whom(found: dict[str, Any]) -> str:
    return "the candidate" if not found["arms"] or found["winner"] else "the arms"


DIALOGS = {f"rollout-{what}": _ordering(what) for what in _WHAT}
