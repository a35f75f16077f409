"""Bare ASGI pass-throughs, one for each HTTP client: the transport and nothing of the gateway."""
