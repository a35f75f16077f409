"""The pages that `dashboard` measures: where each is, what of it a reader waits for, and a filter of it."""

from typing import NamedTuple

_ACME = "live=off&of=acme"
_PROMPT = f"{_ACME}&name=team-7/app-7/prompt-7"
_VERSIONS = '[aria-label="Versions"] tbody tr'
_WEEK = 'button:has-text("7 days")'


class Page(NamedTuple):
    """``drawn``: the selector of what the page is opened for; ``change``: what is clicked, None for pages without a
    filter; ``whole``: what is drawn may be the same afterwards, so that
    the end of the page is waited for."""

    name: str
    path: str
    drawn: str
    change: str | None = _WEEK
    whole: bool = False


PAGES = (
    Page("overview", "/?live=off", ".lab-card"),
    Page("costs", "/costs?live=off", ".lab-card"),
    Page("costs by user", "/costs?live=off&by=user", ".lab-card"),
    Page("reliability", "/reliability?live=off", '[data-fact="retried"]', whole=True),
    Page("traces", "/traces?live=off", '[aria-label="Traces"] tbody tr', 'button:has-text("Slowest")'),
    Page("sessions", "/traces?live=off&show=sessions", '[aria-label="Sessions"] tbody tr'),
    Page("where the time goes", "/traces?live=off&show=steps", '[aria-label="Steps"] tbody tr'),
    Page("alerts", "/alerts?live=off", "[data-alert], .lab-empty", None),
    Page("feedback", "/feedback?live=off", ".lab-card"),
    Page("evals", "/evals?live=off", "tbody tr, .lab-empty", None),
    Page("datasets", "/datasets?live=off", "tbody tr, .lab-empty", None),
    Page("prompts", f"/prompts?{_ACME}", '[aria-label="Folders"]', None),
    Page("a folder of prompts", f"/prompts?{_ACME}&folder=team-7/app-7", '[aria-label="Prompts"] tbody tr', None),
    Page("a prompt's words", f"/prompts?{_PROMPT}", ".lab-turn", None),
    Page("its versions", f"/prompts?{_PROMPT}&show=versions", _VERSIONS, 'button:has-text("Older")'),
    Page("its differences", f"/prompts?{_PROMPT}&show=diff", ".lab-diff, .lab-empty", None),
    Page("its labels", f"/prompts?{_PROMPT}&show=labels", "[data-label]", None),
    Page("releases", "/releases?live=off", "tbody tr, .lab-empty", None),
    Page("rollouts", "/rollouts?live=off", "tbody tr, .lab-empty", None),
    Page("flags", "/flags?live=off", "tbody tr, .lab-empty", None),
    Page("review", "/review?live=off", "tbody tr, .lab-empty", None),
    Page("keys and limits", "/keys?live=off", "tbody tr", None),
    Page("audit", "/audit?live=off", "tbody tr, .lab-empty", None),
)
