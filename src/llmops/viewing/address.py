"""The page's address: every filter is a query parameter, so that a link shows what its sender saw.

A value that is none (a typo, an attack, an older version's) is taken for not given. What is at its default is not in
the address. The shared ones (window, tenant, live) go along from page to page: the address wins, then what this
browser tab had last; an empty one takes it back.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_SHARED = "llmops-shared"
_MOST_CHARS = 400


def read(name: str, default: str = "", *, valid: Callable[[str], bool] | None = None, shared: bool = False) -> str:
    """The value in the address, or ``default``."""
    given = st.query_params.get(name)
    if given == "" and shared:  # a link that takes it back
        _kept().pop(name, None)
        del st.query_params[name]
        return default
    if given is not None and len(given) <= _MOST_CHARS and "\0" not in given and (valid is None or valid(given)):
        if shared:
            _kept()[name] = given
        return given
    if given is not None:
        del st.query_params[name]
    if shared and (kept := _kept().get(name)) is not None and (valid is None or valid(kept)):
        if kept != default:
            st.query_params[name] = kept
        return kept
    return default


def write(name: str, value: str | None, default: str = "", *, shared: bool = False) -> None:
    """Put a value into the address, or take it out where it is the default."""
    if shared:
        _kept()[name] = value or default
    if value in (None, "", default):
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def select(
    label: str, name: str, options: Sequence[str], default: str = "", *, shared: bool = False, **more: Any
) -> str:
    """A selectbox that is bound to a parameter; with ``format_func`` give what `words.plain` lets through."""
    value = read(name, default, valid=lambda given: given in options, shared=shared)
    return _bound(st.selectbox, label, name, value, default, shared, options=list(options), **more) or default


def choose(label: str, name: str, options: Sequence[str], default: str, *, shared: bool = False, **more: Any) -> str:
    """A row of buttons that is bound to a parameter."""
    value = read(name, default, valid=lambda given: given in options, shared=shared)
    more = {"required": True, **more}
    return _bound(st.segmented_control, label, name, value, default, shared, options=list(options), **more) or default


def text(label: str, name: str, default: str = "", *, shared: bool = False, **more: Any) -> str:
    """A field for words that is bound to a parameter."""
    value = read(name, default, shared=shared)
    return (_bound(st.text_input, label, name, value, default, shared, max_chars=_MOST_CHARS, **more) or "").strip()


def switch(label: str, name: str, *, default: bool = False, shared: bool = False, **more: Any) -> bool:
    """A toggle that is bound to a parameter, ``on`` or ``off``."""
    standard = "on" if default else "off"
    value = read(name, standard, valid=lambda given: given in ("on", "off"), shared=shared)
    key = f"at-{name}"
    st.session_state[key] = value == "on"

    def changed() -> None:
        write(name, "on" if st.session_state[key] else "off", standard, shared=shared)

    return bool(st.toggle(label, key=key, on_change=changed, **more))


def _bound(widget: Any, label: str, name: str, value: str, default: str, shared: bool, **more: Any) -> str | None:
    key = f"at-{name}"
    st.session_state[key] = value

    def changed() -> None:
        write(name, st.session_state[key], default, shared=shared)

    found: str | None = widget(label, key=key, on_change=changed, **more)
    return found


def _kept() -> dict[str, str]:
    kept: dict[str, str] = st.session_state.setdefault(_SHARED, {})
    return kept
