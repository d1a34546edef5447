"""After how many bars each feature of the catalogue has forgotten where history began: measured, and kept in settled.json.

A record speaks of the definition that was measured: another one under the same name has another fingerprint, and no record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.errors import IntegrityError
from barsmith.features.graph import Expr
from barsmith.features.learned import taught
from barsmith.features.plan import Plan
from barsmith.features.registry import BASE, Feature

if TYPE_CHECKING:
    from barsmith.features.audit.history import History

#: The simulated market on which it is measured, and the share of it that is learned from.
SYMBOL, CALENDAR, HOURS, FIRST_DAY, DAYS, SEED, TRAIN = "MES", "equity_index", "ETH", date(2025, 9, 1), 60, 4, 0.7
STARTS = 8


class Settled(NamedTuple):
    """measured: bars of 5m after which the feature was the same from every later start, within 1e-9 of its size. declared: bars from
    which on it counted as settled, at the start that took longest. fingerprint: of its definition."""

    measured: int
    declared: int
    fingerprint: str


def settled(one: Feature) -> Settled | None:
    """What was measured of exactly this definition."""
    known = record().get(one.name)
    return known if known is not None and known.fingerprint == fingerprints({one.name: one})[one.name] else None


@cache
def record() -> dict[str, Settled]:
    """Everything that was measured, by name."""
    text = files("barsmith.features").joinpath("settled.json").read_text(encoding="utf-8")
    return {name: Settled(*values) for name, values in json.loads(text).items()}


def as_json(measured: Mapping[str, Settled]) -> str:
    """A line for each feature."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(list(one))}" for name, one in measured.items()) + "\n}\n"


def fingerprints(features: Mapping[str, Feature]) -> dict[str, str]:
    return Plan({name: one.expr for name, one in features.items()}, base=BASE, sessions=sessions()).fingerprints()


@cache
def sessions() -> Sessions:
    return load_sessions(CALENDAR, HOURS)


def measure(features: Mapping[str, Feature]) -> dict[str, Settled]:
    """Read the features over the whole market and from eight later starts, and compare, as the audit does.

    Raises IntegrityError `features/unsettled` for one that needs more bars than it declares.
    """
    from barsmith.bars.simulate import simulate
    from barsmith.features.audit import causality
    from barsmith.features.audit.findings import Findings
    from barsmith.features.audit.history import History
    from barsmith.features.audit.moments import starts
    from barsmith.features.audit.readers import OwnReader

    history = History.of(simulate(SYMBOL, DAYS, SEED, start=FIRST_DAY, paths=0).bars, sessions(), base=BASE)
    reader = OwnReader(known(features, history), base=BASE, sessions=sessions())
    findings = Findings()
    rows = starts(history.minutes, sessions(), STARTS)
    causality.later_starts(reader, history, causality.Whole.of(reader, history), rows, findings, lambda share: None)
    late = sorted({leak.feature for leak in findings.leaks.values()})
    late += [name for name, bars in findings.settling.items() if bars["measured"] is None]
    if late:
        raise IntegrityError(
            "features/unsettled",
            expected=f"every feature to settle within the bars it declares, and in {DAYS} sessions",
            came=", ".join(late),
            do="declare more bars (settling), or let it forget",
        )
    marks = fingerprints(features)
    return {name: Settled(bars["measured"], bars["declared"], marks[name]) for name, bars in findings.settling.items()}


def known(features: Mapping[str, Feature], history: History) -> dict[str, Expr]:
    """The expressions, with what their nodes learn from the first part of the market."""
    given = {name: one.expr for name, one in features.items()}
    stretch = int(history.rung.start[0]), int(history.rung.end[int(len(history) * TRAIN)])
    return taught(given, history.minutes, base=BASE, sessions=sessions(), slices=[stretch], seed=SEED)
