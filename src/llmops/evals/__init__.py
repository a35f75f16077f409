"""Evals: a dataset's cases go through a subject, scorers judge what came out, and a gate decides.

The few words everything here is made of, each in a file of its own:

- `Case` and `Dataset`: what is asked, and the immutable set that it belongs to;
- `Subject`: what is under test, any callable, model, release or URL; it answers a case with an `Output`;
- `Scorer`: judges an output and says a `Score`, or several;
- `Result`: one cell of a run, that is one case in one repeat: its output and its scores;
- `RunSpec` and `Engine`: which cells there are, and how all of them get their results;
- `evaluate`: all of it in one call, loaded when it is first used.

A case that fails is a value (`Output.error`), as is a scorer that fails (`Score.error`): neither ends a run. The domain
knows nothing of HTTP, of the pipeline or of a shell; subjects get the way to call a model handed in.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    if name != "evaluate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".evaluation", __name__).evaluate
