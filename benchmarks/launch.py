"""How one target is started: its command, its environment, and the path that answers 200 once it serves."""

import msgspec


class Launch(msgspec.Struct, frozen=True):
    command: list[str]
    env: dict[str, str] = {}
    ready_path: str = "/health"
    timeout_s: float = 30.0
    patience: float = 1.0
    """How many times longer a load must run for this target to show its steady pace."""
