"""The dashboard: its pages and how Streamlit serves them.

``streamlit run src/llmops/dashboard.py`` from a checkout, or ``llmops dashboard``. Streamlit reads this file twice: as
a module, for ``app``, what it serves, and as a script, at every run of a page. Started by its path it stands in no
package, so it says which one is its own. How a page is made is told in `viewing`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

if not __package__:
    _HERE = Path(__file__).resolve().parent
    # Streamlit puts this folder in front, where our types.py would be taken for Python's.
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != _HERE]
    if str(_HERE.parent) not in sys.path:
        sys.path.insert(0, str(_HERE.parent))
    __package__ = _HERE.name

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from .pages import (
    alerts,
    audit,
    costs,
    evals,
    evals_datasets,
    feedback,
    flags,
    keys,
    overview,
    prompts,
    releases,
    reliability,
    review,
    rollouts,
    traces,
)
from .viewing import frame
from .viewing.base_url import BaseUrl
from .viewing.feed import the_feed
from .viewing.first_page import first_page
from .viewing.loopback import listens_alone
from .viewing.sessions import SESSIONS
from .viewing.shield import Shield
from .viewing.sign_in import routes

_ICON = Path(__file__).with_name("viewing") / "icon.svg"

#: Group, file, title, icon, path. The first page is the one at ``/``.
# fmt: off
PAGES = (
    ("Watch", overview, "Overview", ":material/monitoring:", "overview"),
    ("Watch", costs, "Costs", ":material/payments:", "costs"),
    ("Watch", reliability, "Reliability", ":material/health_and_safety:", "reliability"),
    ("Watch", traces, "Traces", ":material/account_tree:", "traces"),
    ("Watch", alerts, "Alerts", ":material/notifications:", "alerts"),
    ("Watch", feedback, "Feedback", ":material/reviews:", "feedback"),
    ("Improve", evals, "Evals", ":material/experiment:", "evals"),
    ("Improve", evals_datasets, "Datasets", ":material/dataset:", "datasets"),
    ("Improve", prompts, "Prompts", ":material/edit_note:", "prompts"),
    ("Improve", releases, "Releases", ":material/package_2:", "releases"),
    ("Improve", rollouts, "Rollouts", ":material/alt_route:", "rollouts"),
    ("Improve", flags, "Flags", ":material/flag:", "flags"),
    ("Improve", review, "Review", ":material/rate_review:", "review"),
    ("Manage", keys, "Keys and limits", ":material/key:", "keys"),
    ("Manage", audit, "Audit", ":material/history:", "audit"),
)
# fmt: on


def main() -> None:
    """One run for one reader."""
    st.set_page_config(page_title="LLMOps Lab", page_icon=str(_ICON), layout="wide")
    st.logo(str(_ICON), size="medium")
    groups: dict[str, list[st.Page]] = {}
    for number, (group, module, title, icon, path) in enumerate(PAGES):
        page = st.Page(_drawing(module), title=title, icon=icon, url_path=path, default=number == 0)
        groups.setdefault(group, []).append(page)
    st.navigation(groups, position="sidebar", expanded=True).run()


def _drawing(module: ModuleType) -> Callable[[], None]:
    def draw() -> None:
        frame.show(module.render)

    return draw


if __name__ == "__main__":
    main()
else:
    # Streamlit takes a folder of this name for scripts of its older kind, until `main` has run for the first time.
    PagesManager.uses_pages_directory = False
    app = st.App(
        Path(__file__).resolve(),
        routes=[first_page(PAGES[0][-1]), *routes(SESSIONS, lambda: the_feed(alone=listens_alone()))],
        middleware=[Middleware(Shield), Middleware(BaseUrl, path=st.get_option("server.baseUrlPath"))],
    )
