"""Jobs for the tests of `barsmith.parallel`, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from barsmith.errors import DataError
from barsmith.parallel import THREADS


def square(number: int) -> int:
    if number == 3:
        raise DataError("test/three", expected="another number", came="3", do="choose one", where="here")
    if number == 4:
        raise KeyError("four")
    if number == 5:
        raise OSError(28, "No space left on device", "/somewhere")
    time.sleep((10 - number) / 100)  # the later ones end first
    return number * number


def threads() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in THREADS}


def die(marks: str, number: int, times: int) -> int:
    """Killed the first so many times it is asked."""
    mark = Path(marks) / f"{number}-{len(list(Path(marks).glob(f'{number}-*')))}"
    mark.touch()
    if int(mark.name.split("-")[1]) < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def note_and_wait(folder: str, number: int) -> int:
    (Path(folder) / f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(60)
    return number
