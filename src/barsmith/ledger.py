"""Every configuration ever scored in a workspace: append-only, so that the best of many trials is never shown as if it were one.

`experiments/ledger.jsonl`, one JSON object a line. Each line holds the SHA-256 of its other fields, one of which is that of the line
before it: a line that was changed, or taken out from among others, breaks the chain. A line that a killed process left unfinished was
never promised to anyone and gives way to the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
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
        found: list[dict[str, Any]] = []
        previous = _BEGINNING
        for number, line in enumerate(self._lines(), 1):
            entry = parse_json(line, f"{self.path} line {number}", code="integrity/ledger")
            is_next = isinstance(entry, dict) and (entry.get("number"), entry.get("previous")) == (number, previous)
            if not is_next or entry.get("sha256") != _hash(entry) or canonical(entry).encode() != line:
                raise self._broken("each line as it was written, after the one before it", f"line {number}, which is not")
            previous = entry["sha256"]
            found.append(entry)
        return found

    def _lines(self) -> list[bytes]:
        if not self.path.exists():
            return []
        with storage_errors(self.path, "read the ledger"):
            *lines, unfinished = self.path.read_bytes().split(b"\n")
        with contextlib.suppress(ValueError):
            text = unfinished.decode()
            if json.JSONDecoder().raw_decode(text)[1] < len(text):
                raise self._broken("an end of each line", f"line {len(lines) + 1}, which goes on after its end")
        return lines

    def _broken(self, expected: str, came: str) -> IntegrityError:
        do = "restore experiments/ledger.jsonl from a backup: without it nobody knows how many trials there were"
        return IntegrityError("integrity/ledger", expected=expected, came=came, do=do, where=str(self.path))

    def _append(self, event: str, symbol: str, horizon: int, content: dict[str, Any]) -> dict[str, Any]:
        with locked(self.path.with_name("ledger.lock"), "the ledger", wait=30.0):
            lines, entries = self._lines(), self.entries()
            entry = {
                "number": len(entries) + 1,
                "previous": entries[-1]["sha256"] if entries else _BEGINNING,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "event": event,
                "symbol": symbol,
                "horizon": horizon,
                **content,
            }
            entry["sha256"] = _hash(entry)
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


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({key: value for key, value in entry.items() if key != "sha256"}).encode()).hexdigest()


def _is(entry: Mapping[str, Any], event: str, symbol: str, horizon: int) -> bool:
    return (entry["event"], entry["symbol"], entry["horizon"]) == (event, symbol, horizon)
