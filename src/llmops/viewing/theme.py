"""The mode that the reader's browser shows, its palette, and the style sheet that goes with it.

Everything is served by this process: no fonts, scripts or pictures come from elsewhere.
"""

from functools import cache
from pathlib import Path

from .palette import DARK, LIGHT, Palette


def palette_now() -> Palette:
    """Of the mode that this reader has: the browser's, or the one chosen in the menu."""
    import streamlit as st

    return DARK if st.context.theme.type == "dark" else LIGHT


def variables(palette: Palette) -> str:
    """Colours as properties that the style sheet uses."""
    shown = {name: value for name, value in palette._asdict().items() if isinstance(value, str)}
    return "".join(f"--lab-{name.replace('_', '-')}:{value};" for name, value in shown.items())


@cache
def sheet() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def put_on(palette: Palette) -> None:
    """Dress the page; takes no room on it."""
    import streamlit as st

    st.html(f"<style>:root{{{variables(palette)}}}{sheet()}</style>")
