"""Several resolutions: the last finished bars of each rung, by hand and against a slow walk, with nothing after the decision."""

from __future__ import annotations

import numpy as np
import pytest
from tables import FEATURES, table

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.config import MULTIRES_TIMEFRAMES
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.roles import roles_of
from barsmith.datasets.rungs import RungBars, RungWindows, last_finished
from barsmith.errors import DataError, UsageError

ALWAYS = load_sessions("always", "ETH")
RUNGS = ("1m", "5m")


def minutes(n: int, seed: int = 0, roll_at: int | None = None, ratio: float = 2.0) -> Minutes:
    """n minutes of a walk from 1970 on, every ninth of them missing; from the roll on prices are `ratio` times as high."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    opened = np.roll(close, 1)
    opened[0] = 100.0
    spread = np.abs(rng.normal(0, 0.05, (2, n)))
    prices = np.column_stack([opened, np.maximum(opened, close) + spread[0], np.minimum(opened, close) - spread[1], close, np.ones(n)])
    contract, factor = np.zeros(n, np.int32), np.ones(n)
    if roll_at is not None:
        prices[roll_at:, :4] *= ratio
        contract[roll_at:], factor[roll_at:] = 1, ratio
    keep = np.arange(n) % 9 != 4
    return Minutes(np.arange(n)[keep], prices[keep], contract[keep], factor[keep])


def reader(of: Minutes, late: int = 0):
    """late: minutes by which it looks past the moment that it is asked for."""
    return lambda timeframes, until: RungBars.of_minutes(of, ALWAYS, until + late, timeframes)


def container(read_rungs, n: int = 60) -> TimeSeriesDataContainer:
    """Train of n bars of 5m from 1970 on, val and test of 20 each, gaps of 10."""
    first = {"train": 0, "val": n + 10, "test": n + 40}
    parts = {name: table(5 * start, n if name == "train" else 20, seed=start) for name, start in first.items()}
    about = {"symbol": "MES", "horizon": 20, "feature_names": FEATURES, "roles": roles_of(parts["train"].columns, FEATURES)}
    return TimeSeriesDataContainer.from_frames(parts["train"], parts["val"], lambda: parts["test"], read_rungs=read_rungs, **about)


def slow_window(of: Minutes, timeframe: str, decision: int, length: int) -> list[list[float]]:
    """Bar after bar, price by price, from the contract's prices divided by the roll factor."""
    rung = ladder(of, ALWAYS, [timeframe])[timeframe]
    finished = [i for i in range(len(rung)) if rung.end[i] <= decision][-length:]
    last = rung.bars[finished[-1], 3]
    return [[float(rung.bars[i, k]) / last - 1.0 for k in range(4)] for i in finished]


def test_two_rungs_by_hand():
    """Decided at minute 10: the bar of 5m that ends there is finished, and so is the minute before."""
    ones = {"1m": ([[10, 12, 9, 11], [11, 11, 10, 10], [10, 20, 10, 16]], [8, 9, 10]), "5m": ([[8, 16, 4, 8], [8, 16, 8, 16]], [5, 10])}
    bars = RungBars.of({name: (np.array(prices, float), np.array(ends)) for name, (prices, ends) in ones.items()})
    last = last_finished(bars, np.array([9, 10]))
    assert last.tolist() == [[1, 3], [2, 4]]
    at_ten = RungWindows(bars, last[1:], 2)[0]
    assert at_ten[0].tolist() == [[np.float32(11 / 16 - 1), np.float32(11 / 16 - 1), np.float32(10 / 16 - 1), np.float32(10 / 16 - 1)], [np.float32(10 / 16 - 1), 0.25, np.float32(10 / 16 - 1), 0.0]]  # fmt: skip
    assert at_ten[1].tolist() == [[-0.5, 0.0, -0.75, -0.5], [-0.5, 0.0, -0.5, 0.0]]


def test_every_window_is_that_of_a_slow_walk():
    of = minutes(700, seed=1)
    seen = container(reader(of)).multires(4, RUNGS)
    assert (seen.reads, seen.feature_names, seen.train.X.timeframes) == ("multires", ("open", "high", "low", "close"), RUNGS)
    assert seen.train.X.shape == (len(seen.train), 2, 4, 4)
    whole = np.asarray(seen.train.X)
    for i, decision in enumerate(seen.train.decision.tolist()):
        for r, timeframe in enumerate(RUNGS):
            assert whole[i, r].tolist() == np.array(slow_window(of, timeframe, decision, 4)).astype(np.float32).tolist()
    assert (whole[:, :, -1, 3] == 0).all()


def test_nine_rungs_of_sixty_bars_are_the_default_and_rows_without_that_past_are_counted():
    of = minutes(5 * 900)
    seen = container(reader(of), n=800).multires()
    assert seen.train.X.shape[1:] == (9, 60, 4)
    assert seen.train.X.timeframes == MULTIRES_TIMEFRAMES
    assert seen.train.decision[0] == 3600, "sixty hours"
    assert seen.left_out["train"] == {"unsettled": 2, "unlabelled": 2, "rungs_too_early": 717}
    assert np.isfinite(np.asarray(seen.val.X)).all()


def test_no_minute_from_the_decision_on_has_a_say():
    """Live, the bars after the decision are not there yet: the window from the minutes before it alone is the same to the bit."""
    of = minutes(700, seed=2)
    seen = container(reader(of)).multires(4)
    for i in range(0, len(seen.train), 3):
        decision = int(seen.train.decision[i])
        before = RungBars.of_minutes(of[: int(np.searchsorted(of.time, decision))], ALWAYS, decision)
        alone = RungWindows(before, last_finished(before, np.array([decision])), 4)[0]
        assert alone.tobytes() == seen.train.X[i].tobytes()


def test_a_roll_is_no_move():
    """Prices twice as high from the roll on are the same windows, a bar that straddles it included."""
    plain, rolled = minutes(700, seed=3), minutes(700, seed=3, roll_at=152)
    ones, others = (np.asarray(container(reader(of)).multires(4, ("1m", "5m", "30m")).train.X) for of in (plain, rolled))
    assert np.allclose(ones, others, atol=1e-7)
    assert np.abs(ones).max() < 0.1


def test_a_reader_that_looks_past_the_opened_splits_is_refused():
    """Planted: bars of the closed test split among the rungs."""
    of = minutes(700)
    with pytest.raises(DataError, match="came 2 that end later") as caught:
        container(reader(of, late=3)).multires(4)
    assert caught.value.code == "datasets/rungs"


def test_the_test_split_opens_with_windows_of_the_rungs():
    of = minutes(700)
    closed = container(reader(of)).multires(4, RUNGS)
    assert max(closed.train.X.bars.end.max(), closed.val.X.bars.end.max()) == closed.val.decision[-1] < 100 * 5
    opened = closed.open_test()
    assert len(opened.test) == 16
    assert opened.test.X[0, 1].tolist() == np.array(slow_window(of, "5m", int(opened.test.decision[0]), 4)).astype(np.float32).tolist()
    assert closed.test_is_open is False


def test_views_of_rungs_cut_and_batch_like_others():
    view = container(reader(minutes(700))).multires(4, RUNGS).train.X
    assert np.array_equal(np.concatenate(list(view.batches(7))), np.asarray(view))
    assert np.array_equal(np.asarray(view.take(np.array([5, 2]))), view[np.array([5, 2])])
    assert view[0].shape == (2, 4, 4)


def test_a_window_that_begins_before_the_first_bar_is_never_read():
    bars = RungBars.of({"5m": (np.ones((5, 4)), np.arange(5))})
    for last in (2, 5):
        with pytest.raises(IndexError, match="windows of 4 bars"):
            RungWindows(bars, np.array([[3], [last]]), 4)[:]


def test_without_bars_of_the_rungs_or_with_too_few_it_says_so():
    with pytest.raises(UsageError, match="bars of several timeframes, came none") as caught:
        container(None).multires()
    assert caught.value.code == "datasets/no-rungs"
    with pytest.raises(DataError, match="56 rows, of them 56 rungs too early") as refused:
        container(reader(minutes(700))).multires(60)
    assert refused.value.code == "datasets/empty"
    with pytest.raises(UsageError, match="one rung or more, from short to long"):
        container(reader(minutes(700))).multires(4, ("5m", "1m"))
