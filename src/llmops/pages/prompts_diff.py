"""What differs between two versions of a prompt, as their files would."""

import streamlit as st

from ..viewing import address, components, registry
from ..viewing.view import View
from .prompts_words import Asked, owner


def render(view: View, asked: Asked) -> None:
    options = asked.options(address.read("before"), address.read("after"))
    newest = str(asked.versions[0]["number"])
    older = str(asked.versions[1]["number"]) if len(asked.versions) > 1 else newest
    if asked.found["versions"][0]["number"] == 1:
        components.empty("There is one version only", "A second comes with the next push of this prompt.")
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        before = address.select("Before", "before", options, older, format_func=asked.said, width=300)
        after = address.select("After", "after", options, newest, format_func=asked.said, width=300)
    found = view.get("/api/prompts/diff", **owner(view), name=asked.name, before=before, after=after)
    if found is None:
        return
    if not found["diff"]:
        components.empty("Nothing differs", f"Versions {found['before']} and {found['after']} say the same.")
        return
    registry.diff(found["diff"], f"From version {found['before']} to version {found['after']}")
