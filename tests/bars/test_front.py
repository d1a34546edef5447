"""Several contracts side by side: who is in front when a session opens, what is known at a roll, and that nothing later decides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.cleaning import clean
from barsmith.bars.contracts import expiry
from barsmith.bars.front import fronts
from barsmith.bars.minutes import as_datetime, minute_of
from barsmith.bars.reading import RawBars, Rules, read_raw, validate_frame
from barsmith.bars.rolls import roll_list
from barsmith.bars.sessions import load_sessions
from barsmith.errors import DataError

SESSIONS = load_sessions("equity_index")
FIRST = SESSIONS.number(minute_of(datetime(2025, 9, 8, 15, tzinfo=UTC)))


def bars_of(contract: str, session: int, places: list[int], price: float, volume: float) -> pl.DataFrame:
    """One bar at each of these minutes of a session, all at one price and volume."""
    time = np.array(places) + SESSIONS.span(FIRST + session)[0]
    prices = dict.fromkeys(("open", "high", "low", "close"), [price] * len(places))
    return pl.DataFrame({"datetime": as_datetime(time), **prices, "volume": [volume] * len(places), "symbol": [contract] * len(places)})


def market(volumes: list[dict[str, float]], prices: dict[str, float] | None = None) -> pl.DataFrame:
    """Ten bars of each contract in each session, with this volume each."""
    prices = prices or {"MESU5": 100.0, "MESZ5": 110.0, "MESH6": 121.0}
    parts = [
        bars_of(name, session, list(range(10)), prices[name] + session, volume)
        for session, of_session in enumerate(volumes)
        for name, volume in of_session.items()
    ]
    return pl.concat(parts)


def read(frame: pl.DataFrame) -> RawBars:
    return validate_frame(frame, Rules("MES", history=False))


def contracts_by_session(raw: RawBars) -> list[str]:
    number = SESSIONS.numbers(raw.frame["datetime"].dt.epoch("s").to_numpy() // 60) - FIRST
    return [raw.frame["contract"][int(np.flatnonzero(number == s)[0])] for s in np.unique(number)]


def test_the_front_is_the_largest_of_the_session_before() -> None:
    #                 session   0                            1                            2                            3
    raw = read(market([{"MESU5": 9, "MESZ5": 1}, {"MESU5": 4, "MESZ5": 5}, {"MESU5": 1, "MESZ5": 9}, {"MESU5": 1, "MESZ5": 9}]))
    assert contracts_by_session(raw) == ["MESU5", "MESZ5", "MESZ5"]  # sessions 1, 2, 3: nothing is known at the open of 0
    assert (raw.quality.unchosen, raw.quality.other_contracts, raw.quality.rows_kept) == (20, 30, 30)
    assert raw.quality.rows_read == 80


def test_the_ratio_is_that_of_the_last_minute_both_have_before_the_roll() -> None:
    frame = market([{"MESU5": 9, "MESZ5": 1}, {"MESU5": 4, "MESZ5": 5}, {"MESU5": 1, "MESZ5": 9}])
    late = bars_of("MESU5", 1, [700], 150.0, 1)  # only the old contract trades there: no common minute
    common = pl.concat([bars_of("MESU5", 1, [600], 104.0, 1), bars_of("MESZ5", 1, [600], 117.0, 1)])
    raw = read(pl.concat([frame, late, common]))
    roll = raw.quality.rolls[0]
    assert (roll["from"], roll["to"], roll["old_close"], roll["new_close"]) == ("MESU5", "MESZ5", 104.0, 117.0)
    assert roll["common_minute"] == SESSIONS.span(FIRST + 1)[0] + 600
    assert roll["time"] == SESSIONS.span(FIRST + 2)[0]
    assert raw.frame.filter(pl.col("roll_ratio").is_not_null())["roll_ratio"].to_list() == [1.125]
    minutes, counts = clean(raw.frame, SESSIONS)
    assert (counts["rolls"], counts["guessed_rolls"]) == (1, 0)
    assert [(each["ratio"], each["known"]) for each in roll_list(minutes)] == [(1.125, True)]
    assert minutes.adjusted()[-1, 3] == 112.0 / 1.125
    assert minutes.bars[-1, 3] == 112.0  # labels and fills keep the contract's own


def test_without_a_common_minute_the_ratio_is_the_first_open_over_the_last_close_and_listed_as_unknown() -> None:
    parts = [bars_of("MESU5", 0, [0, 1, 2], 100.0, 5), bars_of("MESU5", 1, [3, 4, 5], 100.0, 1)]
    parts += [bars_of("MESZ5", 1, [0, 1, 2], 110.0, 5), bars_of("MESZ5", 2, [0, 1, 2], 120.0, 5)]
    raw = read(pl.concat(parts))
    assert raw.quality.rolls[0]["common_minute"] is None
    minutes, counts = clean(raw.frame, SESSIONS)
    assert counts["guessed_rolls"] == 1
    assert roll_list(minutes)[0]["ratio"] == 1.2


def test_it_never_rolls_back_and_a_tie_goes_to_the_nearer() -> None:
    #      U  Z  H                     the sessions before:  U     Z     U larger again  H     tie of Z and H
    volume = np.array([[9, 1, 0], [1, 9, 0], [9, 1, 0], [0, 1, 9], [0, 9, 9], [0, 0, 0]])
    assert fronts(volume).tolist() == [-1, 0, 1, 1, 2, 2]
    assert fronts(np.array([[5, 5], [0, 0]])).tolist() == [-1, 0]


def backward(volume: np.ndarray) -> np.ndarray:
    """The planted leak: the front is the largest of the session itself, which nobody knows at its open."""
    return volume.argmax(axis=1)


def decides_by_its_own_session(rule) -> bool:  # type: ignore[no-untyped-def]
    calm, wild = np.array([[9, 1], [9, 1], [9, 1]]), np.array([[9, 1], [9, 1], [1, 9]])
    return rule(calm)[2] != rule(wild)[2]


def test_no_session_decides_about_itself_and_a_rule_that_does_is_caught() -> None:
    assert not decides_by_its_own_session(fronts)
    assert decides_by_its_own_session(backward)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.fixed_dictionaries({"MESU5": st.integers(1, 9), "MESZ5": st.integers(1, 9), "MESH6": st.integers(1, 9)}), min_size=3, max_size=6
    ),
    st.data(),
)
def test_a_file_that_ends_earlier_gives_the_first_rows_of_the_same_series(volumes: list, data: st.DataObject) -> None:
    frame = market(volumes).sort("datetime", maintain_order=True)
    cut = data.draw(st.integers(33, len(frame)))
    whole, part = read(frame).frame, read(frame[:cut]).frame
    assert part.equals(whole[: len(part)])


def test_bars_after_the_close_belong_to_the_session_before() -> None:
    frame = market([{"MESU5": 9, "MESZ5": 1}, {"MESU5": 1, "MESZ5": 9}, {"MESU5": 1, "MESZ5": 9}])
    close = SESSIONS.span(FIRST + 1)[1] - SESSIONS.span(FIRST + 1)[0]
    echoes = pl.concat([bars_of(name, 1, [close + 5], 100.0, 1) for name in ("MESU5", "MESZ5")])
    raw = read(pl.concat([frame, echoes]))
    assert raw.frame["contract"].to_list() == ["MESU5"] * 11 + ["MESZ5"] * 10


def test_the_last_of_two_bars_of_one_contract_and_minute_is_kept() -> None:
    frame = market([{"MESU5": 9, "MESZ5": 1}, {"MESU5": 9, "MESZ5": 1}])
    raw = read(pl.concat([frame, bars_of("MESU5", 1, [3], 99.0, 9)]))
    assert raw.quality.duplicates == 1
    assert raw.frame["close"].to_list()[3] == 99.0


def test_contracts_without_an_expiry_cannot_be_put_in_order() -> None:
    frame = pl.concat(
        [BAR.with_columns(contract=pl.lit(name)) for BAR in [market([{"MESU5": 1}] * 3).drop("symbol")] for name in ("17077", "42")]
    )
    with pytest.raises(DataError, match="does not say when it expires") as error:
        validate_frame(frame, Rules("MES", history=False))
    assert error.value.code == "bars/several-contracts"


@pytest.mark.parametrize(
    ("name", "when"),
    [("MESU5", (2025, 9)), ("MESH6", (2026, 3)), ("MESZ4", (2024, 12)), ("MESM3", (2033, 6)), ("MESU25", (2025, 9)), ("MESU2025", (2025, 9)),
     ("MES 09-25", (2025, 9)), ("202509", (2025, 9)), ("20250919", (2025, 9)), ("17077", None), ("MES", None)],
)  # fmt: skip
def test_a_name_says_its_expiry(name: str, when: tuple[int, int] | None) -> None:
    assert expiry(name, date(2025, 6, 12)) == when


@pytest.mark.real
def test_the_real_contracts_become_the_continuous_series_that_was_built_from_them(real_data: Path) -> None:
    raw = read_raw(real_data / "MGC_1m_contracts_sample.parquet", Rules("MGC"))
    q = raw.quality
    truth = pl.read_parquet(real_data / "MGC_1m.parquet").drop("symbol")
    first, last = datetime(2025, 11, 17, 23, tzinfo=UTC), raw.frame["datetime"][-1]  # the first session has none before it
    assert raw.frame.drop("contract", "roll_ratio").equals(
        truth.filter(pl.col("datetime").is_between(first, last)).with_columns(pl.col("volume").cast(pl.Float64))
    )
    assert q.contracts == ["MGCZ5", "MGCG6"]
    assert len(q.rolls) == 1
    roll = q.rolls[0]
    assert roll["time"] == minute_of(datetime(2025, 11, 25, 23, tzinfo=UTC))
    assert roll["new_close"] - roll["old_close"] == pytest.approx(38.0, abs=1e-9)
    assert (q.spreads, q.rows_read) == (19_312, 51_423)
    assert q.rows_read == q.rows_kept + q.spreads + q.other_contracts + q.unchosen
