"""Parity: nothing to say about an honest bundle, and one bit is enough to accuse any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from live_feed import with_holes

from barsmith.features.live import Finished, Live
from barsmith.serving.bundle import Bundle
from barsmith.serving.parity import parity, same_bits
from barsmith.serving.scoring import Scorer, Signal
from small_market import SmallMarket, later_bars

PLANTED = 10  # the base bar, counted from the beginning of the file, at which something differs


@pytest.fixture(scope="module")
def bars(market: SmallMarket) -> pl.DataFrame:
    return later_bars()[len(pl.read_parquet(market.raw)) :][:300]


def test_an_honest_bundle_has_no_mismatch_and_every_number_is_compared(bundle: Bundle, bars: pl.DataFrame) -> None:
    told: list[tuple[int, int]] = []
    found = parity(bundle, bars, lambda done, total: told.append((done, total)))
    predicted = len(bundle.predict(bars))
    assert found.as_dict() == {
        "bars": predicted,
        "features": len(bundle.plan.names),
        "values": predicted * (len(bundle.plan.names) + 3),
        "mismatches": 0,
        "first_mismatch": None,
    }
    assert told[0] == (0, 300)


def test_holes_and_history_that_the_file_repeats_make_no_difference(bundle: Bundle, market: SmallMarket) -> None:
    bars = later_bars()
    known = len(pl.read_parquet(market.raw))
    for part in (with_holes(bars[known:], 9), bars[known - 500 : known + 500]):
        found = parity(bundle, part)
        assert (found.mismatches, found.bars) == (0, len(bundle.predict(part)))


def one_bit_off(value: float) -> float:
    return float(np.nextafter(value, np.inf))


def at_bar(number: int, change: Callable[[Finished], object]) -> Callable[..., Any]:
    """`Live.advance` that does something more to that base bar of all it finishes."""
    real, seen = Live.advance, [0]

    def advance(self: Live, now: int) -> list[Finished]:
        finished = real(self, now)
        for each in finished:
            seen[0] += 1
            if seen[0] == number:
                change(each)
        return finished

    return advance


@pytest.mark.parametrize("feature", [0, 7, 25])
def test_one_bit_of_one_feature_of_one_bar_is_found(
    feature: int, bundle: Bundle, bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _bars_lived_at_the_start(bundle)

    def nudge(finished: Finished) -> None:
        finished.features[feature] = one_bit_off(finished.features[feature])

    monkeypatch.setattr(Live, "advance", at_bar(before + PLANTED, nudge))
    found = parity(bundle, bars)
    assert found.mismatches >= 1
    assert found.first_mismatch is not None
    row = bundle.predict(bars)["datetime"][PLANTED - 1]
    assert found.first_mismatch["datetime"] == f"{row:%Y-%m-%dT%H:%M:%SZ}"
    assert found.first_mismatch["name"] == bundle.plan.names[feature]
    assert found.first_mismatch["live"] == one_bit_off(found.first_mismatch["batch"])


def _bars_lived_at_the_start(bundle: Bundle) -> int:
    """Base bars that a session closes while it comes to stand where the history ends."""
    closed = [0]
    real = Live.advance

    def count(self: Live, now: int) -> list[Finished]:
        finished = real(self, now)
        closed[0] += len(finished)
        return finished

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Live, "advance", count)
        bundle.live()
    return closed[0]


def test_one_bit_of_a_probability_is_found(bundle: Bundle, bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that answers otherwise when it is asked for a single row."""
    real = Scorer.signal

    def signal(self: Scorer, finished: Finished, symbol: str) -> Signal:
        honest = real(self, finished, symbol)
        if honest.probabilities is None:
            return honest
        short, neutral, long = honest.probabilities
        return dataclasses.replace(honest, probabilities=(short, neutral, one_bit_off(long)))

    monkeypatch.setattr(Scorer, "signal", signal)
    found = parity(bundle, bars)
    assert found.mismatches == found.bars
    assert found.first_mismatch is not None
    assert found.first_mismatch["name"] == "prob_long"


def test_a_bar_that_live_never_finishes_is_a_mismatch_in_every_number(
    bundle: Bundle, bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Live.advance

    def forgets(self: Live, now: int) -> Any:
        return [each for each in real(self, now) if each.end % 60]

    monkeypatch.setattr(Live, "advance", forgets)
    found = parity(bundle, bars)
    lost = sum(minute.minute == 55 for minute in bundle.predict(bars)["datetime"])
    assert found.mismatches == lost * (len(bundle.plan.names) + 3) > 0


def test_bits_are_bits() -> None:
    a = np.array([0.0, 1.0, np.nan, np.nan, np.inf, 5e-324])
    b = np.array([-0.0, 1.0, -np.nan, 0.0, np.inf, 0.0])
    assert same_bits(a, b).tolist() == [False, True, True, False, True, False]
