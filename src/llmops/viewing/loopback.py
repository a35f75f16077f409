"""Whether an address is this machine's own, and whether the dashboard itself listens there only."""

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Names are judged by their letters, not looked up: only ``localhost`` is one."""
    if host is None or host == "":
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listens_alone() -> bool:
    """Whether this dashboard is bound to loopback. Streamlit binds every address where none is given."""
    import streamlit as st

    address = st.get_option("server.address")
    return is_loopback(address if isinstance(address, str) else None)
