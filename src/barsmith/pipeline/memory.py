"""The most memory that a stage held: the peak of the process's resident set while the stage ran."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

SELF = Path("/proc/self")
MIB = 1 << 20


def reset_peak() -> bool:
    """Begin a new peak; False where this system cannot, and a peak is the highest since the process began."""
    with contextlib.suppress(OSError):
        (SELF / "clear_refs").write_text("5")
        return True
    return False


def peak_mib() -> float:
    """The peak so far, MiB."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = (SELF / "status").read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024, 1)
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (MIB if sys.platform == "darwin" else 1024), 1)  # bytes there, KiB elsewhere
