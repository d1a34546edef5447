"""Options of cleaning hold live as in a file: a dirty feed streamed minute by minute gives the bits of its batch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from live_feed import with_holes

from barsmith.bars.cleaning import clean
from barsmith.config import CleanSettings
from barsmith.serving.bundle import Bundle
from barsmith.serving.parity import parity
from barsmith.serving.session import LiveSession
from barsmith.serving.streaming import stream
from small_market import SmallMarket, later_bars

RULES: dict[str, tuple[dict[str, Any], str]] = {
    "fill": ({"gaps": "fill", "max_fill": 3}, "filled"),
    "fill all": ({"gaps": "fill", "max_fill": 1440}, "filled"),
    "outliers": ({"outliers": "drop", "outlier_ranges": 20}, "outliers"),
    "thin": ({"min_volume": 200}, "thin"),
    "holed sessions": ({"gaps": "drop_session", "max_gap": 45}, "dropped_sessions"),
    "all at once": ({"gaps": "fill", "max_fill": 7, "outliers": "drop", "outlier_ranges": 20, "min_volume": 100}, "filled"),
}
"""Name -> (settings, what they count)."""


@pytest.fixture(scope="module")
def small(market: SmallMarket) -> Bundle:
    return Bundle.load(market.bundle)


@pytest.fixture(scope="module")
def dirty(market: SmallMarket) -> pl.DataFrame:
    """What comes after the history: holes, spikes that come back, spikes within them, and a roll whose first minute is thin."""
    bars = with_holes(later_bars()[len(pl.read_parquet(market.raw)) :][:3600], 11).with_row_index()
    spike = pl.col("index").is_in([200, 201, 700, 1500, 2222])
    roll = pl.col("index") >= 1800
    bars = bars.with_columns(pl.when(spike).then(pl.col("high") * 1.05).otherwise("high").alias("high"))
    bars = bars.with_columns(
        pl.when(roll).then(pl.col(name) + 55.0).otherwise(name).alias(name) for name in ("open", "high", "low", "close")
    )
    bars = bars.with_columns(volume=pl.when(pl.col("index").is_in([1800, 1801])).then(0).otherwise("volume"))
    bars = bars.with_columns(
        contract=pl.when(roll).then(pl.lit("MESU5")).otherwise(pl.lit("MESM5")),
        roll_ratio=pl.when(pl.col("index") == 1800).then(1.0095).otherwise(None),
    )
    return bars.drop("index")


def under(bundle: Bundle, rules: dict[str, Any]) -> Bundle:
    settings = bundle.settings.model_copy(update={"clean": CleanSettings(**rules)})
    return dataclasses.replace(bundle, settings=settings)


@pytest.mark.parametrize("name", RULES)
def test_a_dirty_feed_gives_the_bits_of_its_batch(name: str, small: Bundle, dirty: pl.DataFrame) -> None:
    rules, counts = RULES[name]
    bundle = under(small, rules)
    _, counted = clean(dirty, bundle.sessions, after=bundle.history, rules=bundle.settings.clean)
    assert counted[counts] > 0
    assert (counted["rolls"], counted["guessed_rolls"]) == (1, 0)
    found = parity(bundle, dirty)
    assert (found.mismatches, found.first_mismatch) == (0, None)
    assert found.bars > 150


@pytest.mark.parametrize(
    ("name", "method", "planted"),
    [
        ("fill", "fill", lambda self, until: []),
        ("outliers", "refusal", lambda self, message, number: ""),
        ("thin", "refusal", lambda self, message, number: ""),
        ("holed sessions", "forget_holed", lambda self, number: 0),
        ("thin", "carry", lambda self, message: None),
    ],
)
def test_a_live_session_that_forgets_a_rule_is_caught(
    name: str, method: str, planted: Callable[..., Any], small: Bundle, dirty: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveSession, method, planted)
    assert parity(under(small, RULES[name][0]), dirty).mismatches > 0


def test_the_ratio_that_comes_in_the_break_is_that_of_the_next_open(
    small: Bundle, market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed's new contract may begin in a minute outside the session, as an echo or before the regular hours."""
    bars = later_bars()[len(pl.read_parquet(market.raw)) :][:2200].with_columns(
        contract=pl.lit("MESM5"), roll_ratio=pl.lit(None, pl.Float64)
    )
    number = small.sessions.numbers(bars["datetime"].dt.epoch("s").to_numpy() // 60)
    opens = int(np.flatnonzero(np.diff(number))[0]) + 1
    new = bars[opens:].with_columns(contract=pl.lit("MESU5"))
    echo = new.head(1).with_columns(pl.col("datetime") - pl.duration(minutes=20), roll_ratio=pl.lit(1.01))
    feed = pl.concat([bars[:opens], echo, new])
    _, counted = clean(feed, small.sessions, after=small.history)
    assert (counted["out_of_session"], counted["rolls"], counted["guessed_rolls"]) == (1, 1, 0)
    assert parity(small, feed).mismatches == 0
    monkeypatch.setattr(LiveSession, "carry", lambda self, message: None)
    assert parity(small, feed).mismatches > 0


def lines(bars: pl.DataFrame) -> list[str]:
    rows = bars.with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).iter_rows(named=True)
    return [json.dumps({name: value for name, value in row.items() if value is not None}) for row in rows]


@pytest.mark.parametrize("name", ["fill", "outliers", "holed sessions", "all at once"])
@pytest.mark.parametrize("cut", [205, 1801, 2600])
def test_a_stream_that_was_stopped_goes_on_with_the_same_answers(
    name: str, cut: int, small: Bundle, dirty: pl.DataFrame, tmp_path: Path
) -> None:
    bundle, feed = under(small, RULES[name][0]), lines(dirty[:2700])
    once: list[bytes] = []
    stream(bundle, feed, once.append)
    twice: list[bytes] = []
    for part in (feed[:cut], feed[cut:]):
        stream(bundle, part, twice.append, state=tmp_path / "state")
    assert twice == once


def test_the_clock_fills_what_no_minute_has_followed_yet(small: Bundle, dirty: pl.DataFrame) -> None:
    bundle = under(small, {"gaps": "fill", "max_fill": 30})
    told, waiting = bundle.live(dirty[:100]), bundle.live(dirty[:100])
    told.advance(told.newest + 12)
    assert len(told.minutes()) == len(waiting.minutes()) + 11  # the twelfth is not over
    assert np.isin(told.minutes().time, waiting.minutes().time).sum() == len(waiting.minutes())
    later = dirty[100:400].filter(pl.col("datetime") > pl.from_epoch(pl.lit(told.newest * 60)).dt.replace_time_zone("UTC"))
    answers = [[signal for row in messages(later) for signal in session.update(row)] for session in (told, waiting)]
    assert answers[0][-10:] == answers[1][-10:]
    assert np.array_equal(told.minutes().time, waiting.minutes().time)


def messages(bars: pl.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(bars)]
