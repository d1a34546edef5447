"""A small market and an impatient audit, for the tests of the audit."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from barsmith.bars.minutes import Minutes
from barsmith.config import TIMEFRAMES
from barsmith.features.audit.findings import Findings
from barsmith.features.audit.fitting import Training
from barsmith.features.audit.history import History
from barsmith.features.audit.modules import audit_module
from barsmith.features.audit.worker import Market, Patience
from barsmith.testing.markets import OCTOBER, SESSIONS, ordinary_minutes

LEAKY = Path(__file__).parent / "leaky"
#: Over a gap in the table's days and a clock change.
FIRST = OCTOBER + 8


def raw_of(minutes: Minutes) -> pl.DataFrame:
    """The raw rows that these minutes are cleaned from."""
    return minutes.to_frame().drop("contract", "roll_factor")


def small_history(sessions: int = 9, seed: int = 31, base: str = "5m") -> History:
    return History.of(raw_of(ordinary_minutes(sessions, seed, FIRST)), SESSIONS, base=base)


def market(base: str = "5m", **patience: float) -> Market:
    return Market("equity_index", "ETH", base, (), tuple(TIMEFRAMES), {}, Patience(**patience))


def training_of(history: History, share: float = 0.6) -> Training:
    rung = history.rung
    return Training(((int(rung.start[0]), int(rung.end[int(len(rung) * share)])),), 42)


def kinds_found(file: Path, history: History, workspace: Path, **patience: float) -> dict[str, set[str]]:
    """The kinds of leaks by feature, and an empty set for one that passed; `told` has their words."""
    findings = found_in(file, history, workspace, **patience)
    kinds: dict[str, set[str]] = {}
    for feature, kind in findings.leaks:
        kinds.setdefault(feature, set()).add(kind)
    return kinds


def found_in(file: Path, history: History, workspace: Path, **patience: float) -> Findings:
    findings = Findings()
    audit_module(file, market(history.base, **patience), history, training_of(history), workspace, findings, lambda what, share: None)
    return findings
