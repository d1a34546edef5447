"""Every error barsmith raises on purpose.

BarsmithError
├── UsageError        exit 2   the command or the configuration is wrong
├── DataError         exit 3   the bars, features or labels are wrong
├── BusyError         exit 4   another process holds the workspace
├── StorageError      exit 5   the disk refused
└── IntegrityError    exit 6   an artifact is not what its manifest says
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BarsmithError(Exception):
    """`code` names the case for machines; the message says what was expected, what came and what to do."""

    exit_code = 1

    def __init__(self, code: str, *, expected: str, came: str, do: str, where: str = "") -> None:
        self.code, self.expected, self.came, self.do, self.where = code, expected, came, do, where
        super().__init__(f"{where + ': ' if where else ''}expected {expected}, came {came}; {do}")

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "expected": self.expected, "came": self.came, "do": self.do, "where": self.where}


class UsageError(BarsmithError):
    exit_code = 2


class DataError(BarsmithError):
    exit_code = 3


class BusyError(BarsmithError):
    exit_code = 4


class StorageError(BarsmithError):
    exit_code = 5


class IntegrityError(BarsmithError):
    exit_code = 6


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that lists the nearest known names, or all of them where none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
