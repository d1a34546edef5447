"""A door from a clone to the `barsmith` command: starts the clone's .venv by itself where barsmith cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
VENV = CLONE / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def door(*verb: str) -> None:
    """`barsmith VERB` with the arguments of this script."""
    try:
        from barsmith.cli import leave, main
    except ModuleNotFoundError as error:
        if not VENV.is_file() or Path(sys.prefix).resolve() == VENV.parents[1].resolve():
            sys.exit(f"barsmith is not installed here ({error}): run `make install`")
        command = [str(VENV), *sys.argv]
        if os.name == "nt":  # there exec comes back at once, with the child still running
            sys.exit(subprocess.call(command))
        os.execv(VENV, command)
    leave(main([*verb, *sys.argv[1:]]))
