"""The composition root of the gateway: HTTP around a `Stack`, and everything that runs beside the calls."""

from .gateway import build_gateway
from .metrics import WORKERS_DIR_VARIABLE

__all__ = ["WORKERS_DIR_VARIABLE", "build_gateway"]
