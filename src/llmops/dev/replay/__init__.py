"""An upstream that gives recorded answers: real models' words, without the models, the bills or the waiting."""

from .recording import Recording, RecordingError
from .server import ReplayServer

__all__ = ["Recording", "RecordingError", "ReplayServer"]
