"""Whose bars a file holds: another market and contracts side by side are refused, contracts in a row are named."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hand_bars import minute_bars

from barsmith.bars.reading import RawBars, Rules, validate_frame
from barsmith.errors import DataError

BARS = minute_bars()


def named(*names: str | None, column: str = "symbol", symbol: str = "MES") -> RawBars:
    frame = BARS.head(len(names)).with_columns(pl.Series(column, names, pl.String))
    return validate_frame(frame, Rules(symbol, history=False))


def refused(*names: str | None, column: str = "symbol", symbol: str = "MES") -> str:
    with pytest.raises(DataError) as error:
        named(*names, column=column, symbol=symbol)
    return error.value.code


@pytest.mark.parametrize("name", ["MES", "mes", " MES ", "MES=F", "@MES", "MES1!", "MES.v.0", "/MES"])
def test_the_root_alone_says_nothing_more(name: str) -> None:
    assert named(name, name).frame.columns == BARS.columns


@pytest.mark.parametrize("name", ["MESU5", "MESU25", "MESU2025", "MES 09-25"])
def test_a_contract_is_a_column(name: str) -> None:
    raw = named(name, name)
    assert raw.frame["contract"].to_list() == [name, name]
    assert raw.frame.columns == [*BARS.columns, "contract"]
    assert raw.quality.contracts == [name]


def test_contracts_one_after_the_other_are_fine() -> None:
    assert named("MESU5", "MESU5", "MESZ5").frame["contract"].to_list() == ["MESU5", "MESU5", "MESZ5"]
    assert named("202509", "202512", column="contract").quality.contracts == ["202509", "202512"]


def test_contracts_are_sorted_with_their_bars() -> None:
    frame = BARS.head(3).with_columns(symbol=pl.Series(["MESU5", "MESZ5", "MESZ5"])).reverse()
    assert validate_frame(frame, Rules("MES", history=False)).frame["contract"].to_list() == ["MESU5", "MESZ5", "MESZ5"]


def test_contracts_side_by_side_within_one_session_are_refused_since_nothing_chooses_among_them() -> None:
    assert refused("MESU5", "MESZ5", "MESU5") == "bars/several-contracts"
    same_minute = pl.concat([BARS.head(2).with_columns(symbol=pl.lit("MESU5")), BARS[1:3].with_columns(symbol=pl.lit("MESZ5"))])
    with pytest.raises(DataError, match="2 contracts within one session"):
        validate_frame(same_minute, Rules("MES", history=False))


def test_calendar_spreads_are_left_out_and_counted() -> None:
    raw = named("MESU5", "MESU5-MESZ5", "MESU5")
    assert raw.frame["contract"].to_list() == ["MESU5", "MESU5"]
    assert (raw.quality.spreads, raw.quality.warned("bars/calendar-spread")) == (1, 1)
    assert refused("MESU5-MESZ5", "MESU5-MESZ5") == "bars/several-contracts"


@pytest.mark.parametrize("name", ["MNQ", "ES", "MESA", "MESU5 X", "ESU5", "", None, "MES-GC", "202509"])
def test_another_market_is_refused_with_its_bar(name: str | None) -> None:
    assert refused("MES", name) == "bars/symbol"
    assert refused(name, name) == "bars/symbol"


def test_root_and_contracts_in_one_column_are_refused() -> None:
    assert refused("MES", "MESU5") == "bars/symbol"


def test_a_contract_column_stands_beside_the_symbol_column() -> None:
    frame = BARS.with_columns(symbol=pl.lit("MES"), contract=pl.lit("MESU5"))
    assert validate_frame(frame, Rules("MES", history=False)).quality.contracts == ["MESU5"]
    with pytest.raises(DataError):
        validate_frame(frame, Rules("MNQ", history=False))


def test_shifted_bars_of_one_contract_may_repeat_a_minute() -> None:
    again = pl.concat([BARS, BARS.head(1)]).with_columns(symbol=pl.lit("MESU5"))
    raw = validate_frame(again.with_columns(pl.col("datetime") + timedelta(days=1)), Rules("MES", history=False))
    assert raw.quality.duplicates == 1
