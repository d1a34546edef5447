"""A lock: one holder at a time, who is named, and free again however its process ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barsmith.artifacts import (
    locked,
)
from barsmith.errors import BusyError

HOLDER = """
import sys, time
from pathlib import Path
from barsmith.artifacts import locked
with locked(Path(sys.argv[1]), "the data"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "deep" / "lock"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_holds_the_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(BusyError) as error, locked(tmp_path / "deep" / "lock", "the data"):
        pass
    assert (error.value.code, error.value.exit_code) == ("lock/busy", 4)
    assert f"(pid {holder.pid})" in error.value.came


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process_however_that_ends(end: signal.Signals, holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(end)
    holder.wait()
    with locked(tmp_path / "deep" / "lock", "the data"):
        pass


def test_a_stopped_process_keeps_its_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(BusyError), locked(tmp_path / "deep" / "lock", "the data", wait=0.2):
        pass
    assert 0.2 <= time.monotonic() - began < 5.0


def test_a_lock_is_free_again_after_an_error_and_its_note_is_gone(tmp_path: Path) -> None:
    def work() -> None:
        with locked(tmp_path / "lock", "the data"):
            assert re.fullmatch(r"\d+\n", (tmp_path / "lock.pid").read_text())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not (tmp_path / "lock.pid").exists()
    with locked(tmp_path / "lock", "the data"):
        pass
