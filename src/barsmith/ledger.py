"""Every configuration ever scored in a workspace: append-only, so that the best of many trials is never shown as if it were one.

`experiments/ledger.jsonl`, one JSON object a line. Each line holds the SHA-256 of the one before it: a line that was changed or
taken out breaks the chain. A line that a killed process left unfinished was never promised to anyone and gives way to the next.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from barsmith.artifacts import locked, make_folder, parse_json, storage_errors, sync_folder
from barsmith.config import canonical
from barsmith.errors import IntegrityError

SCORED, TEST_OPENED = "scored", "test-opened"
_BEGINNING = "0" * 64


class Ledger:
    """The ledger of one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / "experiments" / "ledger.jsonl"

    def record(
        self, *, symbol: str, horizon: int, model: str, configuration: Mapping[str, Any], scores: Mapping[str, float | None], run: str = ""
    ) -> dict[str, Any]:
        """One configuration that was scored. configuration: all that was chosen (JSON values); equal ones are one trial."""
        return self._append(
            SCORED, symbol, horizon, {"model": model, "trial": trial_of(model, configuration), "scores": dict(scores), "run": run}
        )

    def record_opening(self, *, symbol: str, horizon: int, model: str, run: str) -> dict[str, Any]:
        """The test split was read."""
        return self._append(TEST_OPENED, symbol, horizon, {"model": model, "run": run})

    def trials(self, symbol: str, horizon: int) -> int:
        """How many different configurations were scored on this contract and horizon."""
        return len({entry["trial"] for entry in self.entries() if _is(entry, SCORED, symbol, horizon)})

    def openings(self, symbol: str, horizon: int) -> list[dict[str, Any]]:
        """Each time that the test split of this contract and horizon was opened."""
        return [entry for entry in self.entries() if _is(entry, TEST_OPENED, symbol, horizon)]

    def entries(self) -> list[dict[str, Any]]:
        """All lines, the chain checked; IntegrityError `integrity/ledger` names the first that breaks it."""
        found, previous = [], _BEGINNING
        for number, line in enumerate(self._lines(), 1):
            entry = parse_json(line, f"{self.path} line {number}", code="integrity/ledger")
            if not isinstance(entry, dict) or entry.get("previous") != previous or entry.get("number") != number:
                raise IntegrityError(
                    "integrity/ledger",
                    expected="each line to follow the one before it",
                    came=f"line {number}, which does not",
                    do="restore experiments/ledger.jsonl from a backup: without it nobody knows how many trials there were",
                    where=str(self.path),
                )
            previous = hashlib.sha256(line).hexdigest()
            found.append(entry)
        return found

    def _lines(self) -> list[bytes]:
        if not self.path.exists():
            return []
        with storage_errors(self.path, "read the ledger"):
            return self.path.read_bytes().split(b"\n")[:-1]  # what follows the last line end is unfinished

    def _append(self, event: str, symbol: str, horizon: int, content: dict[str, Any]) -> dict[str, Any]:
        with locked(self.path.with_name("ledger.lock"), "the ledger", wait=30.0):
            lines = self._lines()
            self.entries()
            entry = {
                "number": len(lines) + 1,
                "previous": hashlib.sha256(lines[-1]).hexdigest() if lines else _BEGINNING,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "event": event,
                "symbol": symbol,
                "horizon": horizon,
                **content,
            }
            whole = sum(len(line) + 1 for line in lines)
            with storage_errors(self.path, "write the ledger"):
                make_folder(self.path.parent)
                with open(self.path, "ab", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
                    file.truncate(whole)
                    file.write(canonical(entry).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                sync_folder(self.path.parent)
        return entry


def trial_of(model: str, configuration: Mapping[str, Any]) -> str:
    """The name of a configuration: equal ones have equal names."""
    return hashlib.sha256(canonical([model, dict(configuration)]).encode()).hexdigest()[:16]


def _is(entry: Mapping[str, Any], event: str, symbol: str, horizon: int) -> bool:
    return (entry["event"], entry["symbol"], entry["horizon"]) == (event, symbol, horizon)
