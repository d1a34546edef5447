"""The whole catalogue with decisions on other timeframes than 5m: settled values are finite, and live they are the batch's."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.features.graph import Expr
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.features import lived, same_bits
from barsmith.testing.markets import SESSIONS, awkward_minutes, ordinary_minutes


def features_on(base: str) -> dict[str, Expr]:
    """Those that learn are tested with what they learn from."""
    return {name: each.expr for name, each in catalogue(base=base).items() if each.group != "regime"}


def streamed_as_read(minutes: Minutes, at: int, base: str, sessions: Sessions) -> Plan:
    """The features that are not finite once settled, or that differ live from minute `at` on: none."""
    plan = Plan(features_on(base), base=base, sessions=sessions)
    reading = plan.read(minutes)
    settled = np.arange(len(reading.matrix))[:, None] >= reading.first_settled
    broken = (settled & ~np.isfinite(reading.matrix)).any(axis=0)
    assert not broken.any(), [plan.names[k] for k in np.flatnonzero(broken)]
    told = lived(Live(plan, minutes[:at]), minutes[at:])
    assert len(told.end) > 40
    row = int(np.searchsorted(reading.base.end, told.end[0]))
    differing = ~same_bits(told.matrix, reading.matrix[row:].copy()).all(axis=0)
    assert not differing.any(), [plan.names[k] for k in np.flatnonzero(differing)]
    assert reading.settled[-1] == (reading.first_settled < len(reading.matrix)).all()
    return plan


@pytest.mark.parametrize("base", ["1m", "15m", "1h"])
def test_another_base_is_finite_and_live_as_in_batch_in_an_awkward_market(base):
    minutes = awkward_minutes()
    streamed_as_read(minutes, len(minutes) - 3000, base, SESSIONS)


@pytest.mark.parametrize("base", ["15m", "1h"])
def test_another_base_settles_from_a_later_origin(base):
    """Within 1e-9 of the value or of the column's median size, from 20 sessions later on."""
    minutes, origin = ordinary_minutes(80, seed=31), 533
    plan = Plan(features_on(base), base=base, sessions=SESSIONS)
    whole, later = plan.read(minutes), plan.read(minutes[origin:])
    expected = whole.matrix[len(whole.matrix) - len(later.matrix) :]
    size = np.maximum(np.abs(expected), np.nanmedian(np.abs(expected), axis=0))
    settled = np.arange(len(expected))[:, None] >= later.first_settled
    apart = settled & ~(np.abs(later.matrix - expected) <= 1e-9 * size)
    assert not apart.any(), [plan.names[k] for k in np.flatnonzero(apart.any(axis=0))]
    assert later.settled.sum() > 100


@pytest.mark.real
@pytest.mark.parametrize("base", ["15m", "1h"])
@pytest.mark.parametrize(("symbol", "calendar"), [("MES", "equity_index"), ("MGC", "metals")])
def test_another_base_is_finite_and_live_as_in_batch_on_real_bars(base, symbol, calendar, real_data):
    sessions = load_sessions(calendar)
    minutes, _ = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), sessions)
    minutes = minutes[-120_000:]
    plan = streamed_as_read(minutes, len(minutes) - 3000, base, sessions)
    assert plan.read(minutes).settled[-1]
