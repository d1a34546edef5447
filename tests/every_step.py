"""A process that is killed at every single step of what it does to files: for tests of what is left behind.

Run as a program: `python every_step.py SCRIPT FOLDER`. SCRIPT defines `before(folder)`, `act(folder)` and `check(folder) -> str`.
For each call by which `act` speaks to the operating system (open, write, flush, fsync, rename, lock, ...), before and after it, a
child process does `act` in a fresh folder until there, and is killed with SIGKILL; `check` says what it left, and it is counted.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any


def killed_at_every_step(script: str, folder: Path) -> dict[str, int]:
    """What `check` said, and how often. script: the source text of before, act and check."""
    source = folder / "script.py"
    source.write_text(script)
    command = [sys.executable, __file__, str(source), str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    found: dict[str, int] = json.loads(told.stdout)
    return found


def _until(step: int, act: Any, folder: Path) -> None:
    seen = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal seen
        if event not in ("c_call", "c_return"):
            return
        if {argument.__module__, type(argument.__self__).__module__} & {"posix", "_io", "io", "fcntl"}:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    act(folder)
    sys.setprofile(None)


def main() -> None:
    script, root = runpy.run_path(sys.argv[1]), Path(sys.argv[2])
    left: Counter[str] = Counter()
    script["before"](root / "warm")  # modules that are imported late
    script["act"](root / "warm")
    for step in range(1, 100_000):
        folder = root / str(step)
        script["before"](folder)
        child = os.fork()
        if not child:
            _until(step, script["act"], folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        left[script["check"](folder)] += 1
    print(json.dumps(left))


if __name__ == "__main__":
    main()
