"""Which commit of the program a run judged."""

import subprocess
from pathlib import Path


def git_revision(folder: Path) -> str | None:
    """The commit of the repository at ``folder``, with ``+changes`` where files differ from it; None outside of one."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None
