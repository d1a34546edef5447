"""What every feature must keep, as checks that its author can run: `check_features("my_features.py")`.

In pytest, each check by itself:

    TRIAL = Trial.of("my_features.py")

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_features_conform(check):
        check(TRIAL)

A check reads its markets once for all features of the trial. It raises AssertionError with a line for each feature that breaks
the promise: its name, the first bar, what came and what was due. The markets are simulated (`barsmith.testing.markets`).
What a feature learns it learns once, on a market of forty sessions that no check looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path

import numpy as np

from barsmith.bars.minutes import Minutes, moment
from barsmith.features.audit.findings import KINDS
from barsmith.features.audit.functions import OwnFunctions, function_leaks, rows_of
from barsmith.features.audit.history import History
from barsmith.features.graph import Expr
from barsmith.features.live import Live
from barsmith.features.plain import PlainFunction
from barsmith.features.registry import Feature
from barsmith.testing.feature_trial import LENGTH, Told, Trial, lived, market, read, same_bits
from barsmith.testing.markets import SESSIONS

#: Minutes after which other histories begin: the open of the sixth session, a minute after an open, and in the midst of bars and sessions.
ORIGINS = (6900, 1381, 533, 2222, 4007, 7411)
#: What is small for any feature; one with a unit may be as large as it is in the ordinary market.
SMALL = 10.0
FORGOTTEN, UNSCALED = 1e-9, 1e-6

Faults = dict[str, str]
Check = Callable[[Trial], None]


def promise(find: Callable[[Trial], Faults]) -> Check:
    """A check of what finds faults: it raises AssertionError with all of them."""

    @wraps(find)
    def check(trial: Trial) -> None:
        faults = found_by(find, trial)
        if faults:
            raise AssertionError("\n".join(f"{name}: {told}" for name, told in faults.items()))

    return check


def found_by(find: Callable[[Trial], Faults], trial: Trial) -> Faults:
    """The faults of each feature. Where a feature raises, the others are tried without it."""
    try:
        return find(trial)
    except Exception as error:  # noqa: BLE001 - whatever a feature raises is told to its author
        if len(trial.names) == 1:
            return {trial.names[0]: f"raises {type(error).__name__}: {' '.join(str(error).split())}"}
        return {name: told for half in trial.halves() for name, told in found_by(find, half).items()}


def first_of(wrong: np.ndarray, trial: Trial, told: Told, where: str, due: np.ndarray | str, bound: str = "") -> Faults:
    """For each feature that is wrong at a bar (m, f) the first one, in words. due: (m, f), or words. bound: words before a number."""
    faults = {}
    for k in np.flatnonzero(wrong.any(axis=0)):
        i = int(np.argmax(wrong[:, k]))
        expected = due if isinstance(due, str) else f"{bound}{float(due[i, k])!r}"
        count = f"; so at {wrong[:, k].sum()} of {len(wrong)} bars" if wrong[:, k].sum() > 1 else ""
        at = f"the bar that ends {moment(int(told.end[i])):%Y-%m-%d %H:%M} UTC"
        faults[trial.names[k]] = f"{where}, {at} has {float(told.matrix[i, k])!r}, due is {expected}{count}"
    return faults


def against_batch(trial: Trial, parts: Iterable[tuple[str, Told]]) -> Faults:
    """Faults of what was said about the awkward market in another way than in one reading of all of it."""
    whole, faults = trial.on("awkward"), Faults()
    for where, part in parts:
        row = int(np.searchsorted(whole.end, part.end[0]))
        rows = slice(row, row + len(part.end))
        assert np.array_equal(part.end, whole.end[rows]), f"{where}, the bars end at other times than in batch"
        is_settled = np.array_equal(part.settled.all(axis=1), whole.settled[rows].all(axis=1))
        assert is_settled, f"{where}, it has settled at other bars than in batch"
        faults = first_of(~same_bits(part.matrix, whole.matrix[rows]), trial, part, where, whole.matrix[rows]) | faults
    return faults


def session_edges(minutes: Minutes) -> np.ndarray:
    """Index of the first minute of each session but the first."""
    return np.flatnonzero(np.diff(SESSIONS.numbers(minutes.time))) + 1


@promise
def bars_up_to_a_moment_give_its_row(trial: Trial) -> Faults:
    """What follows changes nothing: read up to the ends and the first minutes of sessions, and to random minutes."""
    minutes = market("awkward")
    edges, random = session_edges(minutes), np.random.default_rng(5).integers(1000, len(minutes), 6)
    cuts = (*edges[[1, 4, 9, 24]], *(edges[[2, 13, 26]] + 7), *random)
    return against_batch(trial, (("read up to a moment", read(trial.plan, minutes[: int(cut)])) for cut in cuts))


@promise
def a_function_gives_every_bar_what_its_own_bars_give(trial: Trial) -> Faults:
    """A function of arrays that is shown the whole ordinary market: at no bar does it need later bars, or earlier ones than it declares."""
    raw = market("ordinary").to_frame().drop("contract", "roll_factor")
    history = History.of(raw, SESSIONS, base=trial.base)
    plain = {name: e for name, e in trial.features.items() if isinstance(e, PlainFunction) and e.lookback <= len(history)}
    faults, asked = Faults(), OwnFunctions(plain)
    for name, function in plain.items():
        tails = asked.tails(rows_of(history), np.arange(function.lookback - 1, len(history)), name)
        for leak in function_leaks(asked, name, function.lookback, tails, history).leaks.values():
            faults[name] = (
                f"shown the whole ordinary market, the bar that opens {leak.first_bar} differs by {leak.difference}: {KINDS[leak.kind]}"
            )
    return faults


@promise
def live_gives_the_bits_of_the_batch(trial: Trial) -> Faults:
    """From the first minute on, one after the other."""
    minutes = market("awkward")
    told = lived(Live(trial.plan, minutes[:1]), minutes[1:])
    assert len(told.end) == len(trial.on("awkward").end), "live, other bars are finished than in batch"
    return against_batch(trial, [("live", told)])


@promise
def a_restored_session_goes_on_with_the_same_bits(trial: Trial) -> Faults:
    """Restored between two sessions, just after an open and at random minutes, and lived for half a day."""
    minutes = market("awkward")
    edge, random = session_edges(minutes)[20], np.random.default_rng(0).integers(2000, len(minutes) - 700, 4)
    restored = ((at, lived(Live(trial.plan, minutes[:at]), minutes[at : at + 700])) for at in map(int, (edge, edge + 1, *random)))
    return against_batch(trial, ((f"restored after {at} minutes", told) for at, told in restored))


@promise
def reading_again_gives_the_same_bits(trial: Trial) -> Faults:
    """Whatever was read before, and with what is learned learned again: nothing is drawn, nothing is left over."""
    read(trial.plan, market("flat"))
    first = read(trial.plan, market("another"))
    read(trial.plan, market("ordinary"))
    again = read(trial.planned(), market("another"))
    return first_of(~same_bits(again.matrix, first.matrix), trial, again, "read again", first.matrix)


@promise
def sessions_side_by_side_leave_each_other_alone(trial: Trial) -> Faults:
    """Two live sessions in turns, and a reading between them."""
    minutes, starts = market("awkward"), (20_000, 31_000)
    lives = [Live(trial.plan, minutes[:at]) for at in starts]
    faults = Faults()
    for after in (0, 150):
        for at, live in zip(starts, lives, strict=True):
            faults = faults | against_batch(trial, [("beside another session", lived(live, minutes[at + after : at + after + 150]))])
        read(trial.plan, market("flat")[:3000])
    return faults


@promise
def a_flat_market_is_finite_and_bounded(trial: Trial) -> Faults:
    """One price for all sessions, traded and not: finite, and no larger than 10 or than the feature is in the ordinary market."""
    return unbounded(trial, ("flat", "flat and untraded"), SMALL, 1.0)


@promise
def zero_volume_is_finite_and_bounded(trial: Trial) -> Faults:
    """Hours and days in which nothing trades: finite, and no larger than 100 or ten times what it is in the ordinary market."""
    return unbounded(trial, ("untraded by the hour",), 10.0 * SMALL, 10.0)


def unbounded(trial: Trial, markets: Sequence[str], small: float, times: float) -> Faults:
    ordinary, faults = trial.on("ordinary"), Faults()
    bound = np.maximum(
        small, times * np.abs(ordinary.matrix).max(axis=0, initial=0.0, where=ordinary.settled & np.isfinite(ordinary.matrix))
    )
    for name in markets:
        told = read(trial.plan, market(name))
        wrong = told.settled & ~(np.abs(told.matrix) <= bound)
        due = np.broadcast_to(bound, told.matrix.shape)
        faults = first_of(wrong, trial, told, f"in the {name} market", due, "a finite number of at most ") | faults
    return faults


@promise
def huge_prices_change_nothing(trial: Trial) -> Faults:
    """The same market at prices of 5e8."""
    return other_scale(trial, "huge prices")


@promise
def tiny_prices_change_nothing(trial: Trial) -> Faults:
    """The same market at prices of 4e-6."""
    return other_scale(trial, "tiny prices")


def other_scale(trial: Trial, name: str) -> Faults:
    told, expected = read(trial.plan, market(name)), trial.on("ordinary")
    wrong = expected.settled & apart(told.matrix, expected.matrix, UNSCALED)
    return first_of(wrong, trial, told, f"at {name} of the same market", expected.matrix)


@promise
def gaps_and_session_breaks_leave_it_finite(trial: Trial) -> Faults:
    """Missing hours, halts, a half-day, a clock change, a jump, a roll, a day of one price."""
    told = trial.on("awkward")
    return first_of(told.settled & ~np.isfinite(told.matrix), trial, told, "in the awkward market", "a finite number")


@promise
def nan_stands_only_in_the_warm_up(trial: Trial) -> Faults:
    """Every settled value of an ordinary market is finite, and there are settled values: the warm-up is over within its 30 sessions."""
    faults = Faults()
    for name in ("ordinary", "another"):
        told = trial.on(name)
        late = ~told.settled.any(axis=0)
        faults |= {trial.names[k]: f"has not settled after {LENGTH} sessions" for k in np.flatnonzero(late)}
        faults = (
            first_of(told.settled & ~np.isfinite(told.matrix), trial, told, f"settled in the {name} market", "a finite number") | faults
        )
    return faults


@promise
def a_settled_value_has_forgotten_its_origin(trial: Trial) -> Faults:
    """From six later origins in three markets: equal to 1e-9 of the value or of the feature's median size, whichever is larger."""
    faults, tried = Faults(), np.zeros(len(trial.names), bool)
    for name in ("ordinary", "another", "awkward"):
        whole = trial.on(name)
        for origin in ORIGINS:
            later = read(trial.plan, market(name)[origin:])
            expected = whole.matrix[len(whole.matrix) - len(later.matrix) :]
            wrong = apart(later.matrix, expected, FORGOTTEN, size=typical(whole.matrix))
            where = f"settled in a history that begins {origin} minutes later than the {name} market"
            faults = first_of(later.settled & wrong, trial, later, where, expected) | faults
            tried |= later.settled.any(axis=0)
    return {trial.names[k]: "settles in none of the later histories" for k in np.flatnonzero(~tried)} | faults


def typical(matrix: np.ndarray) -> np.ndarray:
    """(f,) median size of the finite values of each column."""
    known = np.where(np.isfinite(matrix), np.abs(matrix), np.nan)
    known[:, np.isnan(known).all(axis=0)] = 0.0
    return np.nanmedian(known, axis=0)


def apart(found: np.ndarray, expected: np.ndarray, share: float, size: np.ndarray | None = None) -> np.ndarray:
    """(m, f) bool: further from each other than a share of the value or of the column's median size, whichever is larger."""
    size = typical(expected) if size is None else size
    size_of = np.where(np.isfinite(expected), np.abs(expected), 0.0)  # nothing is near an infinite value but itself
    with np.errstate(all="ignore"):
        near = np.abs(found - expected) <= share * np.maximum(size_of, size)
    return ~(near | same_bits(found, expected))


CHECKS: tuple[Check, ...] = (
    bars_up_to_a_moment_give_its_row,
    a_function_gives_every_bar_what_its_own_bars_give,
    live_gives_the_bits_of_the_batch,
    a_restored_session_goes_on_with_the_same_bits,
    reading_again_gives_the_same_bits,
    sessions_side_by_side_leave_each_other_alone,
    a_flat_market_is_finite_and_bounded,
    zero_volume_is_finite_and_bounded,
    huge_prices_change_nothing,
    tiny_prices_change_nothing,
    gaps_and_session_breaks_leave_it_finite,
    nan_stands_only_in_the_warm_up,
    a_settled_value_has_forgotten_its_origin,
)


def check_features(file: Path | str, *, base: str = "5m") -> None:
    """Run every check on every feature of a user's file. Raises AssertionError with all that fails; UsageError where the file is none."""
    run_checks(Trial.of(file, base=base))


def check_feature(feature: Feature | Expr, *, base: str = "5m") -> None:
    """Run every check on one feature of the catalogue, or on an expression. Raises AssertionError with all that fails."""
    expr, name = (feature, "expression") if isinstance(feature, Expr) else (feature.expr, feature.name)
    run_checks(Trial({name: expr}, base=base))


def run_checks(trial: Trial) -> None:
    broken = []
    for check in CHECKS:
        try:
            check(trial)
        except AssertionError as error:
            broken.append(f"{check.__name__}\n  " + str(error).replace("\n", "\n  "))
    if broken:
        raise AssertionError("\n".join(broken))
