"""Bare ASGI pass-throughs, one file per HTTP client: the transport and nothing of the gateway. Not for use."""
