"""``python -m benchmarks.setup``: install what the benchmark compares with and is loaded by.

nginx and wrk come from the system's packages where this is root and apt-get is there; the peers from the Python
package index, each into a virtual environment of its own under ``.benchmark/``. What is there already stays; what
cannot be installed is said, and the benchmark will go on without it.
"""

import os
import shutil
import subprocess
import sys
import venv

from .lab import say
from .peers import FOLDER, PACKAGES, python_of
from .transports import PACKAGES as TRANSPORTS
from .transports import VENV

PROGRAMS = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}


def main() -> int:
    done = [install_programs(), *(install_peer(peer, package) for peer, package in PACKAGES.items())]
    done.append(install_peer(VENV, *TRANSPORTS))
    return 0 if all(done) else 1


def install_programs() -> bool:
    wanted = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if not wanted:
        say("nginx, wrk and taskset are there")
        return True
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"please install {', '.join(wanted)}: this is not root, or there is no apt-get")
        return False
    return _run(["apt-get", "update"]) and _run(["apt-get", "install", "-y", "--no-install-recommends", *wanted])


def install_peer(peer: str, *packages: str) -> bool:
    python = python_of(peer)
    if python.exists():
        say(f"{peer} is there: {python}")
        return True
    folder = FOLDER / peer
    say(f"installing {', '.join(packages)} into {folder}")
    venv.create(folder, with_pip=True)
    if _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]):
        return True
    shutil.rmtree(folder)  # half a peer would be taken for a whole one
    return False


def _run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False).returncode == 0
    except OSError as exc:
        say(f"{command[0]}: {exc}")
        return False


if __name__ == "__main__":
    sys.exit(main())
