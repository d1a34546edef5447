"""The simulated market: its bars, its edge, and that the truth about it is true."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import polars as pl
import pytest

from barsmith.bars import simulate_truth
from barsmith.bars.cleaning import clean
from barsmith.bars.ladder import Rung, ladder
from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.bars.reading import Rules, validate_frame
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import Simulated, signal, simulate
from barsmith.errors import UsageError
from barsmith.instruments import SHIPPED, instrument
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.outcomes import default_barriers

DAYS, PATHS = 60, 200


@cache
def market(symbol: str = "MES", edge: float = 0.1, seed: int = 7, paths: int = PATHS, days: int = DAYS) -> Simulated:
    return simulate(symbol, days, seed, edge, paths=paths)


def base_bars(simulated: Simulated, symbol: str = "MES") -> tuple[Minutes, Rung]:
    sessions = load_sessions(instrument(symbol).calendar)
    minutes, counts = clean(simulated.bars, sessions)
    assert counts["out_of_session"] == 0
    return minutes, ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]


@pytest.mark.parametrize("symbol", sorted(SHIPPED))
def test_bars_are_bars_on_the_tick_grid_in_the_contracts_own_sessions(symbol: str) -> None:
    simulated, contract = market(symbol, paths=0, days=20), instrument(symbol)
    opened, high, low, close = (simulated.bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    assert (high >= np.maximum(opened, close)).all()
    assert (low <= np.minimum(opened, close)).all()
    for prices in (opened, high, low, close):
        ticks = prices / contract.tick
        assert np.abs(ticks - np.rint(ticks)).max() < 1e-6
        assert (prices > contract.min_price).all()
        assert (prices < contract.max_price).all()
    time = as_minutes(simulated.bars["datetime"])
    assert (np.diff(time) > 0).all()
    assert (load_sessions(contract.calendar).numbers(time) >= 0).all()
    assert simulated.bars["volume"].min() >= 1
    assert validate_frame(simulated.bars, Rules(symbol, history=False)).frame["close"].to_list() == close.tolist()


def test_the_days_asked_for_are_the_sessions_of_the_calendar_with_its_half_days() -> None:
    simulated = simulate("MGC", 8, start=date(2024, 12, 20), paths=0)
    sessions = load_sessions("metals")
    number = np.unique(sessions.numbers(as_minutes(simulated.bars["datetime"])))
    assert len(number) == 8
    assert (np.diff(number) == 1).all()
    last_minute = {int(c) for c in sessions.closes[number]}
    christmas_eve = [c for c in last_minute if (c // 1440) == (date(2024, 12, 24) - date(1970, 1, 1)).days]
    assert [c % 1440 for c in christmas_eve] == [18 * 60 + 45]  # 12:45 in Chicago


def test_without_a_start_the_days_end_with_2025() -> None:
    for days in (1, 250):
        bars = market(paths=0, days=days).bars
        assert bars["datetime"][-1].date() == date(2025, 12, 31)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    first = simulate("MES", 5, 3, paths=20)
    monkeypatch.setattr(simulate_truth, "cores", lambda: 1)
    second, other = simulate("MES", 5, 3, paths=20), simulate("MES", 5, 4, paths=20)
    assert first.bars.equals(second.bars)
    assert first.truth.equals(second.truth, null_equal=True)
    assert first.settings == second.settings
    assert not first.bars["close"].equals(other.bars["close"])
    without = simulate("MES", 5, 3, paths=0)
    assert without.bars.equals(first.bars)
    assert without.truth.columns == ["datetime", "signal", "volatility"]


def test_the_signal_can_be_computed_from_the_published_bars() -> None:
    for symbol in ("MES", "MGC"):
        simulated = market(symbol)
        _, bars = base_bars(simulated, symbol)
        theirs = simulated.truth["signal"].to_numpy()[: len(bars)]
        assert np.array_equal(signal(bars.bars[:, 3], instrument(symbol).tick), theirs)
        assert (theirs[:49] == 0).all()


def test_the_signal_is_against_the_distance_from_the_mean_of_fifty_closes() -> None:
    assert signal(np.array([100.0] * 49), 0.25).tolist() == [0] * 49
    closes = np.array([100.0] * 49 + [100.25, 99.0, 100.0])
    assert signal(closes, 0.25)[49:].tolist() == [-1, 1, -1]
    assert signal(np.array([1.1] * 60), 0.1)[49:].tolist() == [1] * 11  # equal to the mean, whatever 1.1 is in binary


def standardised(edge: float, seed: int) -> np.ndarray:
    """Returns of base bars inside a session, in units of their volatility, in the direction of the signal before them."""
    simulated = market("MES", edge, seed, 0, 250)
    _, bars = base_bars(simulated)
    close, truth = bars.bars[:, 3], simulated.truth
    move = (close[1:] / close[:-1] - 1) / truth["volatility"].to_numpy()[: len(close) - 1]
    side = truth["signal"].to_numpy()[: len(close) - 1]
    return (move * side)[(np.diff(bars.session) == 0) & (side != 0)]


@pytest.mark.parametrize("edge", [0.0, 0.1, 0.3])
def test_the_mean_of_the_next_return_is_the_edge_within_four_standard_errors(edge: float) -> None:
    moves = standardised(edge, 11)
    assert len(moves) > 60_000
    assert abs(moves.mean() - edge) < 4 * moves.std() / np.sqrt(len(moves))
    assert moves.std() == pytest.approx(1.0, abs=0.03)


def test_without_an_edge_the_past_says_nothing_about_the_direction() -> None:
    simulated = market("MES", 0.0, 5, 0, 250)
    _, bars = base_bars(simulated)
    move = np.diff(np.log(bars.bars[:, 3])) / simulated.truth["volatility"].to_numpy()[: len(bars) - 1]
    move = np.clip(move[np.diff(bars.session) == 0], -4, 4)
    bound = 4 / np.sqrt(len(move))
    for lag in (1, 2, 5, 12):
        assert abs(np.corrcoef(move[:-lag], move[lag:])[0, 1]) < bound
    assert abs(np.mean(np.sign(move))) < bound


def labels_and_truth(symbol: str, edge: float, seed: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels as barsmith.labels sees the published bars, and the probabilities of [short, neutral, long] for the same rows."""
    simulated, contract = market(symbol, edge, seed), instrument(symbol)
    minutes, bars = base_bars(simulated, symbol)
    barriers = default_barriers(contract.k_up, contract.k_down, (horizon,))
    labels = triple_barrier(minutes, bars, wilder_atr(bars), barriers=barriers)[horizon]
    table = simulated.truth.select(f"prob_{side}_h{horizon}" for side in ("short", "neutral", "long"))
    rows = np.flatnonzero(labels.has_label)
    return labels.label[rows], table.to_numpy()[rows]


def worst_miss(y: np.ndarray, p: np.ndarray) -> float:
    """The largest miss of a class's count, in standard errors, among the rows where it is less likely and where it is likelier."""
    worst = 0.0
    for column, side in enumerate((-1, 0, 1)):
        likely = p[:, column]
        for part in (likely < np.median(likely), likely >= np.median(likely)):
            error = np.sqrt((likely[part] * (1 - likely[part])).sum() + 1)
            worst = max(worst, float(abs(((y[part] == side) - likely[part]).sum()) / error))
    return worst


@pytest.mark.parametrize(("symbol", "horizon"), [("MES", 5), ("MES", 20), ("MGC", 10), ("MGC", 20)])
def test_the_truth_is_calibrated_against_the_realised_labels(symbol: str, horizon: int) -> None:
    apart = slice(None, None, horizon + 1)  # labels of rows so far apart share no minute
    for edge, seed in ((0.3, 1), (0.0, 2)):
        y, p = labels_and_truth(symbol, edge, seed, horizon)
        assert worst_miss(y[apart], p[apart]) < 4, edge


def test_a_truth_that_forgets_the_edge_or_the_volatility_is_caught() -> None:
    y, p = labels_and_truth("MES", 0.3, 1, 5)
    assert worst_miss(y[::6], p[::6][:, ::-1]) > 6  # planted: up and down exchanged
    assert worst_miss(y[::6], np.roll(p[::6], 100, axis=0)) > 6  # planted: the probabilities of another time


def test_the_truth_knows_the_direction_where_there_is_an_edge_and_only_there() -> None:
    def difference(edge: float) -> float:
        """How much likelier long is after a signal of +1 than of -1, in the truth and in the labels."""
        simulated = market("MES", edge, 1)
        side = simulated.truth["signal"].to_numpy()
        up, down = (np.nanmean(simulated.truth["prob_long_h20"].to_numpy()[side == s]) for s in (1, -1))
        return float(up - down)

    assert difference(0.3) > 0.25
    assert abs(difference(0.0)) < 0.01


def test_probabilities_sum_to_one_and_carry_their_standard_errors() -> None:
    truth = market().truth
    for horizon in (5, 10, 15, 20):
        p = truth.select(f"prob_{side}_h{horizon}" for side in ("short", "neutral", "long"))
        assert p.head(14).null_count().sum_horizontal().item() == 14 * 3
        assert np.allclose(p.to_numpy()[14:].sum(axis=1), 1.0)
        error = truth[f"se_long_h{horizon}"].to_numpy()[14:]
        assert error.max() <= 0.5 / np.sqrt(PATHS) + 1e-12
        assert error.min() > 0
    assert (truth["prob_neutral_h5"].mean() or 0) > (truth["prob_neutral_h20"].mean() or 1)


def test_label_shares_resemble_those_of_the_real_market() -> None:
    for symbol, real in (("MES", (0.579, 0.034, 0.387)), ("MGC", (0.404, 0.184, 0.413))):  # of the real bars, horizon 20
        truth = market(symbol).truth
        shares = [truth[f"prob_{side}_h20"].mean() for side in ("short", "neutral", "long")]
        assert shares == pytest.approx(real, abs=0.05), symbol


def test_nights_are_calm_and_thin_and_volatility_clusters() -> None:
    _, bars = base_bars(market("MES", 0.0, 7, 0, 250))
    minute = bars.end - load_sessions("equity_index").opens[bars.session]
    night, day = (minute > 300) & (minute < 540), (minute > 930) & (minute <= 1320)
    reach = (bars.bars[:, 1] - bars.bars[:, 2]) / bars.bars[:, 3]
    assert reach[day].mean() > 2 * reach[night].mean()
    assert bars.bars[day, 4].mean() > 8 * bars.bars[night, 4].mean()
    logs = np.log(reach[day] + 1e-5)
    assert np.corrcoef(logs[:-1], logs[1:])[0, 1] > 0.4
    assert np.corrcoef(logs[:-78], logs[78:])[0, 1] > 0.15  # a day later
    move = np.diff(np.log(bars.bars[:, 3]))[np.diff(bars.session) == 0]
    assert (move**4).mean() / (move**2).mean() ** 2 > 8  # a normal distribution has 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"days": 0}, "simulate/days"),
        ({"days": 10_000}, "simulate/days"),
        ({"days": 200, "start": date(2030, 11, 1)}, "simulate/days"),
        ({"edge": float("nan")}, "simulate/range"),
        ({"edge": 2.0}, "simulate/range"),
        ({"paths": -1}, "simulate/range"),
        ({"seed": -1}, "simulate/range"),
        ({"horizons": ()}, "simulate/range"),
        ({"k_up": 0.0}, "simulate/range"),
        ({"symbol": "MESS"}, "config/symbol"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        simulate(**({"days": 2} | arguments))
    assert caught.value.code == code


def test_progress_is_told_up_to_one() -> None:
    told: list[float] = []
    simulate("MES", 4, paths=2, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert isinstance(simulate("MES", 1, paths=1).truth, pl.DataFrame)
