"""The audit of what lies under every feature: cleaning, the ladder, joins, the session table, and what is fitted."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from audited import FIRST, raw_of, small_history, training_of

from barsmith.bars import cleaning, ladder
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.config import TIMEFRAMES
from barsmith.features import close, lag, log, on
from barsmith.features import learned as learning
from barsmith.features.audit.bars_checks import check_cleaning, check_joins, check_ladder
from barsmith.features.audit.findings import Findings
from barsmith.features.audit.history import History
from barsmith.features.audit.moments import moments
from barsmith.features.audit.own import audit_bars, audit_own
from barsmith.features.audit.session_table import check_anchors, check_sessions
from barsmith.features.catalog.regime import quantile_cuts
from barsmith.features.graph import On
from barsmith.features.plan import Plan
from barsmith.testing.markets import SESSIONS, awkward_minutes, kept, ordinary_minutes


def quiet(what: str, share: float | None) -> None:
    pass


@pytest.fixture(scope="module")
def gaps() -> History:
    """Six sessions, a twentieth of whose minutes are missing here and there and for two hours once."""
    minutes = ordinary_minutes(6, 41, FIRST)
    keep = np.random.default_rng(1).random(len(minutes)) > 0.05
    keep[3000:3120] = False
    return History.of(raw_of(kept(minutes, keep)), SESSIONS, base="5m")


def kinds(findings: Findings) -> set[tuple[str, str]]:
    return set(findings.leaks)


@pytest.mark.parametrize("market", ["awkward", "gaps", "always"])
def test_honest_bars_pass(market, gaps):
    table = load_sessions("always") if market == "always" else SESSIONS
    raw = gaps.raw if market != "awkward" else raw_of(awkward_minutes())
    findings = Findings()
    audit_bars(History.of(raw, table, base="5m"), findings, quiet)
    assert kinds(findings) == set()


def interpolated(raw: pl.DataFrame) -> pl.DataFrame:
    """Leak 10: missing minutes drawn between those around them."""
    whole = raw.upsample("datetime", every="1m") if len(raw) else raw
    return whole.with_columns(pl.col("open", "high", "low", "close", "volume").interpolate())


def without_outliers(raw: pl.DataFrame) -> pl.DataFrame:
    """Leak 11: a close that the next minute takes back did not happen."""
    change = pl.col("close") / pl.col("close").shift(1) - 1
    taken_back = (change.abs() > 3e-4) & (change * change.shift(-1) < 0)
    return raw.with_columns(close=pl.when(taken_back).then(pl.col("close").shift(1)).otherwise(pl.col("close")))


def without_extremes(raw: pl.DataFrame) -> pl.DataFrame:
    """Leak 11: volumes cut at a quantile of the whole series."""
    return raw.with_columns(volume=pl.col("volume").clip(upper_bound=pl.col("volume").quantile(0.99)))


@pytest.mark.parametrize("rule", [interpolated, without_outliers, without_extremes])
def test_a_cleaning_rule_that_looks_ahead_is_found(rule, gaps, monkeypatch):
    real = cleaning.clean
    monkeypatch.setattr(cleaning, "clean", lambda raw, sessions, **more: real(rule(raw), sessions, **more))
    findings = Findings()
    near = moments(gaps.minutes, SESSIONS, 150)
    check_cleaning(gaps, near, near[::50], findings)
    assert kinds(findings) == {("clean", "clean")}


def test_each_gap_is_looked_at_and_so_are_sessions_wild_bars_and_rolls(gaps):
    near = moments(gaps.minutes, SESSIONS, 400)
    time = gaps.minutes.time
    longest = int(np.argmax(np.where(np.diff(time) < 600, np.diff(time), 0))) + 1
    opens = np.flatnonzero(np.diff(SESSIONS.numbers(time))) + 1
    widest = int(np.argmax(gaps.adjusted[:, 1] / gaps.adjusted[:, 2]))
    assert {longest, *opens.tolist(), widest, widest + 1} <= set(near)
    rolled = awkward_minutes()
    assert int(np.flatnonzero(np.diff(rolled.contract))[0]) + 1 in moments(rolled, SESSIONS, 20)


def test_an_unfinished_bar_that_counts_as_finished_is_found(gaps, monkeypatch):
    """Leak 9."""
    real = ladder.ladder
    monkeypatch.setattr(ladder, "ladder", lambda *args, **more: real(*args, **{**more, "now": 1 << 60}))
    findings = Findings()
    check_ladder(gaps, moments(gaps.minutes, SESSIONS, 40), ["15m", "1h"], findings)
    assert kinds(findings) == {("bars of 15m", "mtf"), ("bars of 1h", "mtf")}


def test_a_bar_that_changes_after_its_close_is_found(gaps, monkeypatch):
    real = ladder.ladder

    def smoothed(*args, **more):
        rungs = real(*args, **more)
        bars = rungs["1h"].bars
        if len(bars) > 1:
            bars[:-1, 3] = (bars[:-1, 3] + bars[1:, 3]) / 2
        return rungs

    monkeypatch.setattr(ladder, "ladder", smoothed)
    findings = Findings()
    check_ladder(gaps, moments(gaps.minutes, SESSIONS, 40), list(TIMEFRAMES), findings)
    assert kinds(findings) == {("bars of 1h", "mtf")}


@pytest.fixture
def joined_early(monkeypatch):
    """Leak 8: a higher bar is seen from its open on."""
    real = Plan.column

    def column(self, node, known, bars, inputs):
        if isinstance(node.expr, On):
            known = {t: np.minimum(k + 1, len(inputs[0]) - 1) for t, k in known.items()}
        return real(self, node, known, bars, inputs)

    monkeypatch.setattr(Plan, "column", column)


def test_a_join_on_the_open_is_found_at_every_bar(gaps, joined_early):
    findings = Findings()
    check_joins(gaps, ["5m", "1h", "4h"], findings)
    assert kinds(findings) == {("on('1h', ...)", "mtf"), ("on('4h', ...)", "mtf")}


def test_and_by_the_features_that_read_it(gaps, joined_early):
    findings = Findings()
    audit_own({"hour": on("1h", close) / close, "change": close - lag(close, 1)}, gaps, None, findings, quiet)
    assert kinds(findings) == {("hour", "future"), ("hour", "live"), ("hour", "foresight")}


def utc_table() -> Sessions:
    """Leak 22: the sessions as they are in summer, all year."""
    opens, closes = SESSIONS.opens.copy(), SESSIONS.closes.copy()
    opens -= (opens % 1440 == 23 * 60) * 60
    closes -= (closes % 1440 == 22 * 60) * 60
    return dataclasses.replace(SESSIONS, opens=opens, closes=closes)


@pytest.fixture(scope="module")
def over_a_clock_change():
    return raw_of(ordinary_minutes(14, 43, FIRST - 4))


def test_sessions_that_move_with_daylight_saving_are_found(over_a_clock_change):
    findings = Findings()
    check_sessions(History.of(over_a_clock_change, utc_table(), base="5m"), findings)
    assert kinds(findings) == {("sessions", "sessions")}
    assert findings.leaks["sessions", "sessions"].difference == 60.0
    honest = Findings()
    check_sessions(History.of(over_a_clock_change, SESSIONS, base="5m"), honest)
    assert kinds(honest) == set()


def test_bars_stamped_in_a_zone_without_daylight_saving_are_found(over_a_clock_change):
    """The table is right and the bars are not: their clock did not change."""
    change = pl.datetime(2025, 11, 2, 12, time_zone="UTC")
    moved = over_a_clock_change.with_columns(
        datetime=pl.when(pl.col("datetime") > change).then(pl.col("datetime") - pl.duration(hours=1)).otherwise("datetime")
    )
    findings = Findings()
    check_sessions(History.of(moved.unique("datetime", maintain_order=True), SESSIONS, base="5m"), findings)
    assert kinds(findings) == {("sessions", "sessions")}


def test_bars_that_do_not_stand_on_their_session_s_open_are_found(gaps, monkeypatch):
    real = ladder.ladder

    def moved(*args, **more):
        rungs = real(*args, **more)
        return {t: dataclasses.replace(rung, start=rung.start + (3 if t == "4h" else 0)) for t, rung in rungs.items()}

    monkeypatch.setattr(ladder, "ladder", moved)
    findings = Findings()
    check_anchors(gaps, list(TIMEFRAMES), findings)
    assert kinds(findings) == {("bars of 4h", "sessions")}


def test_a_fit_on_all_rows_is_found(monkeypatch):
    """Leak 7."""
    history = small_history(6)
    cuts = {"cuts": quantile_cuts(log(close / lag(close, 1)), lower=0.25, upper=0.75)}
    honest, leaking = Findings(), Findings()
    audit_own(cuts, history, training_of(history), honest, quiet)
    monkeypatch.setattr(learning, "stretch", lambda minutes, first, past: minutes)
    audit_own(cuts, history, training_of(history), leaking, quiet)
    assert kinds(honest) == set()
    assert kinds(leaking) == {("cuts", "fit")}
