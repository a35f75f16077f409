"""Traces as a whole, for those who read them: searching, one trace, sessions, where the time goes."""

from ...store.database import Database
from ..spans.genai_write import Semconv
from .repository.search import TraceSearch
from .repository.sessions import SessionRepository
from .repository.steps import StepRepository
from .repository.trace_reader import TraceReader


class TraceDirectory:
    """``database`` stays the caller's. Everything blocks: call it from a thread."""

    def __init__(self, database: Database, semconv: Semconv = "1.41") -> None:
        self.search = TraceSearch(database).search
        self.read = TraceReader(database, semconv).read
        self.sessions = SessionRepository(database).sessions
        self.steps = StepRepository(database).steps
