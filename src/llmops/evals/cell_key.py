"""The identity of the calls that one cell of a run makes: the same after a crash, another for each repeat.

A gateway whose exact cache is on keeps answers apart by it (``x-llmops-cache-namespace``). So a cell that was killed
after its call had been paid finds its own answer when the run is resumed, and two repeats never share one. It rides on
a context variable: subjects, and scorers that call a judge, ask for it while the engine has them work on a cell.
"""

import hashlib
from contextvars import ContextVar

from .result import Cell

current_cell: ContextVar[tuple[str, Cell] | None] = ContextVar("current_cell", default=None)
"""The run's id and the cell that is being worked on."""


def cell_key(run_id: str, cell: Cell, part: str = "answer") -> str:
    """The namespace of one call of a cell. ``part`` tells several calls of the cell apart: ``judge:faithfulness``."""
    told = "\0".join((run_id, cell.case_id, str(cell.repeat), part))
    return f"eval/{hashlib.blake2b(told.encode('utf-8', 'surrogatepass'), digest_size=20).hexdigest()}"


def current_key(part: str = "answer") -> str | None:
    """The key of a call that is made now; None outside of a run."""
    found = current_cell.get()
    return cell_key(*found, part) if found is not None else None
