"""A fake upstream that fails on purpose: thirty kinds of fault, seeded, each with what a good gateway makes of it."""

from .fault import EXPECTATIONS, Expectation, Fault
from .server import FaultServer, Rehearsal
from .table import FAULTS, fault_named

__all__ = ["EXPECTATIONS", "FAULTS", "Expectation", "Fault", "FaultServer", "Rehearsal", "fault_named"]
