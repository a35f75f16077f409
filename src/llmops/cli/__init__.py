"""The shell: one thin file per command group. Everything heavy is imported by the command that needs it."""

__all__ = ["main"]


def main() -> None:
    """The entry point of ``llmops``."""
    from .root import app

    app()
