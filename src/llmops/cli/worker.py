"""One worker of ``llmops serve --workers N``; started by the supervisor, not by people.

Its two arguments are the configuration file (or nothing) and the command line's values as JSON. Its standard input is
a pipe that ends when the supervisor does.
"""

import sys
from pathlib import Path


def main(file: str, values: str) -> None:
    import msgspec

    from ..assembly import build_gateway
    from ..config import load_settings
    from ..errors import LLMOpsError
    from ..gateway.server import bind, serve
    from ..telemetry import operator_log

    operator_log.configure()
    path, over = Path(file) if file else None, msgspec.json.decode(values, type=dict[str, dict[str, str | int]])
    try:
        settings = load_settings(path, **over)
        bound = bind(settings.server.host, settings.server.port, shared=True)
        app = build_gateway(settings, file=path, values=over)
    except LLMOpsError as exc:
        sys.exit(f"error: {exc}")
    serve(app, bound, parent=sys.stdin.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
