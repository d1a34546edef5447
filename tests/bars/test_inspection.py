"""A file is understood without being told: every vendor's form, zones and both stamp conventions; what cannot be known is asked."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_bad_bars import CASES, Case
from vendor_files import FORMS, databento_raw, plain, plain_parquet

from barsmith.bars.inspection import Inspection, inspect_file
from barsmith.bars.inspection_market import root_in_name, tick_of
from barsmith.bars.inspection_yaml import yaml_of
from barsmith.bars.minutes import as_minutes
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import simulate
from barsmith.config_reading import load_settings
from barsmith.errors import BarsmithError, DataError
from barsmith.instruments import SHIPPED, Instrument, instrument
from barsmith.pipeline.stages.ingest import ingest

ZONES = ("UTC", "America/Chicago", "America/New_York", "Europe/Berlin", "Asia/Tokyo")


@lru_cache
def market(symbol: str = "MES", days: int = 25, start: date = date(2025, 10, 13)) -> pl.DataFrame:
    """Sessions around both changes of the clock, of Europe on 26 October and of America on 2 November."""
    return simulate(symbol, days, seed=3, edge=0.0, start=start, paths=0).bars


def inspected(folder: Path, name: str, data: bytes, **options: object) -> Inspection:
    path = folder / name
    path.write_bytes(data)
    return inspect_file(path, **options)  # type: ignore[arg-type]


def found(inspection: Inspection, what: str) -> tuple[str, str]:
    return next((each.found, each.certainty) for each in inspection.findings if each.what == what)


def asked(inspection: Inspection) -> set[str]:
    return {question.setting for question in inspection.questions}


def ingested(workspace: Path, inspection: Inspection, data: bytes) -> pl.DataFrame:
    """What the printed YAML and the file give a data run."""
    (workspace / "config").mkdir(parents=True)
    (workspace / "data/raw").mkdir(parents=True)
    text = yaml_of(inspection)
    (workspace / "config/pipeline.yaml").write_text(text)
    raw = workspace / text.split("belongs at ")[1].split(",")[0]
    raw.write_bytes(data)
    settings = load_settings(workspace).settings
    return ingest(raw, instrument(str(settings.symbol), settings), settings.ingest, settings.sessions).bars


@pytest.mark.parametrize("stamps", ["open", "close"])
@pytest.mark.parametrize("zone", ZONES)
def test_the_zone_and_the_end_of_the_minute_are_found(zone: str, stamps: str, tmp_path: Path) -> None:
    inspection = inspected(tmp_path, "MES.csv", plain(market(), zone, stamps))
    assert found(inspection, "timezone") == (zone, "sure")
    assert found(inspection, "timestamps") == (stamps, "sure")
    assert found(inspection, "sessions")[0] == "ETH of equity index"
    assert found(inspection, "regular open")[0] == "the volume jumps in its minute"
    assert inspection.questions == []
    assert inspection.raw is not None
    assert inspection.raw.frame["datetime"].equals(market()["datetime"])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_and_its_yaml_ingests_the_bars_that_were_written(form: str, tmp_path: Path) -> None:
    name, vendor, write = FORMS[form]
    data = write(market())
    inspection = inspected(tmp_path, name, data)
    assert "likely" not in [inspection.certainty[key] for key in inspection.settings if key.startswith("ingest")]
    if vendor:
        assert found(inspection, "vendor")[0] == vendor
    assert inspection.settings["symbol"] == "MES"
    bars = ingested(tmp_path / "workspace", inspection, data)
    assert bars.drop("contract", strict=False).equals(market().with_columns(pl.col("volume").cast(pl.Float64)))


def test_a_vendors_habit_that_the_breaks_contradict_is_asked(tmp_path: Path) -> None:
    name, _, write = FORMS["ninjatrader, start of bar"]
    inspection = inspected(tmp_path, name, write(market()))
    assert found(inspection, "timestamps") == ("open", "sure")
    assert asked(inspection) == {"ingest.timestamps"}


def test_a_week_without_a_change_of_the_clock_tells_the_offset_but_not_the_zone(tmp_path: Path) -> None:
    week = market("MES", 5, date(2025, 6, 9))
    inspection = inspected(tmp_path, "MES.csv", plain(week, "America/Chicago"))
    assert found(inspection, "timezone") == ("America/Chicago", "likely")
    assert "America/Bogota" in next(question.asks for question in inspection.questions if question.setting == "ingest.timezone")
    assert found(inspection, "timestamps")[0] == "open"
    tokyo = inspected(tmp_path, "MES.csv", plain(week, "Asia/Tokyo"))  # whose clock never changes
    assert found(tokyo, "timezone") == ("Asia/Tokyo", "sure")


def test_a_single_day_tells_nothing_and_is_asked(tmp_path: Path) -> None:
    day = market("MES", 1, date(2025, 6, 10))
    inspection = inspected(tmp_path, "MES.csv", plain(day, "America/Chicago"))
    assert found(inspection, "timezone") == ("", "not known")
    assert found(inspection, "timestamps") == ("", "not known")
    assert asked(inspection) == {"ingest.timezone", "ingest.timestamps"}
    assert inspection.raw is None
    assert "timezone" not in inspection.settings
    with pytest.raises(DataError) as error:  # the YAML leaves out what is not known, and the reader then refuses to guess
        ingested(tmp_path / "workspace", inspection, plain(day, "America/Chicago"))
    assert error.value.code == "bars/no-timezone"


def test_a_market_that_never_closes_shows_no_break_and_is_asked(tmp_path: Path) -> None:
    coin = Instrument("BTC", 0.25, 5.0, 0.62, "always")
    n = 14 * 1440
    time = pl.Series([datetime(2025, 6, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(n)])
    price = 100.0 + 0.25 * np.abs(np.random.default_rng(1).integers(-1, 2, n).cumsum())
    bars = pl.DataFrame({"datetime": time, **dict.fromkeys(("open", "high", "low", "close"), price), "volume": np.full(n, 5.0)})
    for known in ({"BTC": coin}, {}):
        inspection = inspected(tmp_path, "BTC_1m.csv", plain(bars, "America/Chicago"), known=known)
        assert {"ingest.timezone", "ingest.timestamps"} <= asked(inspection)
        assert "ingest.timezone" not in inspection.settings


def test_regular_hours_alone_are_recognised(tmp_path: Path) -> None:
    local = pl.col("datetime").dt.convert_time_zone("America/Chicago")
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    rth = market().filter((minute >= 8 * 60 + 30) & (minute < 15 * 60))
    inspection = inspected(tmp_path, "MES.csv", plain(rth, "Europe/Berlin", "close"))
    assert found(inspection, "timezone") == ("Europe/Berlin", "sure")
    assert found(inspection, "timestamps") == ("close", "sure")
    assert inspection.settings["sessions.hours"] == "RTH"


def test_fillers_without_volume_in_the_breaks_hide_nothing(tmp_path: Path) -> None:
    bars = market()
    every = pl.DataFrame({"datetime": pl.datetime_range(bars["datetime"][0], bars["datetime"][-1], "1m", eager=True)})
    filled = every.join(bars, on="datetime", how="left").with_columns(
        pl.col("volume").fill_null(0), pl.exclude("datetime", "volume").forward_fill()
    )
    inspection = inspected(tmp_path, "MES.csv", plain(filled, "America/New_York", "close"))
    assert found(inspection, "timezone") == ("America/New_York", "sure")
    assert found(inspection, "timestamps") == ("close", "sure")
    assert inspection.quality.warned("bars/zero-volume") > 0


def test_a_clock_that_no_zone_has_is_not_taken_for_the_nearest(tmp_path: Path) -> None:
    """MetaTrader's servers stand two or three hours before UTC and change with New York."""
    bars = market("MES", 60, date(2025, 9, 15))
    server = bars["datetime"].dt.convert_time_zone("America/New_York").dt.replace_time_zone(None) + timedelta(hours=7)
    inspection = inspected(tmp_path, "MES.csv", bars.with_columns(datetime=server.dt.strftime("%Y.%m.%d %H:%M")).write_csv().encode())
    assert found(inspection, "timezone") == ("nearly Europe/Athens", "not known")
    assert "ingest.timezone" not in inspection.settings
    assert "export the stamps in UTC" in next(q.asks for q in inspection.questions if q.setting == "ingest.timezone")


def test_a_databento_file_of_contracts_and_spreads_becomes_one_series(tmp_path: Path) -> None:
    near = market("MES", 6, date(2025, 9, 8))
    prices = ("open", "high", "low", "close")
    number = load_sessions("equity_index").numbers(as_minutes(near["datetime"]))
    is_early = pl.Series(number < number[0] + 3)
    near = near.with_columns(volume=pl.when(is_early).then(90).otherwise(10))
    far = near.with_columns(pl.col(*prices) + 55.25, volume=pl.when(is_early).then(10).otherwise(90))
    spread = near.with_columns(*(pl.lit(-55.25).alias(name) for name in prices))
    named = [(near, "MESU5"), (far, "MESZ5"), (spread, "MESU5-MESZ5")]
    rows = pl.concat([pl.read_csv(databento_raw(bars, name)) for bars, name in named]).sort("ts_event", maintain_order=True)
    data = rows.write_csv().encode()
    inspection = inspected(tmp_path, "glbx-mdp3.ohlcv-1m.csv", data)
    assert found(inspection, "contracts")[0] == "MESU5, MESZ5"
    assert inspection.quality.spreads == len(near)
    expected = pl.concat([near.filter((number > number[0]) & (number < number[0] + 4)), far.filter(number >= number[0] + 4)])
    bars = ingested(tmp_path / "workspace", inspection, data)
    assert bars.drop("contract", "roll_ratio").equals(expected.with_columns(pl.col("volume").cast(pl.Float64)))
    roll = inspection.quality.rolls[0]
    assert roll["new_close"] - roll["old_close"] == 55.25


@pytest.mark.parametrize("symbol", ["MGC", "SI", "CL"])
def test_other_markets_are_recognised_by_their_step(symbol: str, tmp_path: Path) -> None:
    inspection = inspected(tmp_path, f"{symbol}_1m.csv", plain(market(symbol), "America/Chicago"))
    assert found(inspection, "tick") == (f"{SHIPPED[symbol].tick:g}", "sure")
    assert found(inspection, "timezone") == ("America/Chicago", "sure")


def test_a_file_that_names_no_market_asks_and_says_which_fit(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, "minutes.csv", plain(market()))
    assert "symbol" not in inspection.settings
    assert "MES, MNQ, ES, NQ" in next(question.asks for question in inspection.questions if question.setting == "symbol")
    told = inspected(tmp_path, "minutes.csv", plain(market()), symbol="ES")
    assert (told.settings["symbol"], asked(told)) == ("ES", set())


def test_a_step_that_the_contract_does_not_have_is_asked(tmp_path: Path) -> None:
    adjusted = market().with_columns((pl.col("open", "high", "low", "close") - 13.37).round(2))
    inspection = inspected(tmp_path, "MES.csv", plain(adjusted))
    assert "symbol" in asked(inspection)


def test_an_unknown_contract_gets_the_settings_that_describe_it(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, "bars.parquet", plain_parquet(market("CL").with_columns(symbol=pl.lit("QMZ5"))))
    assert found(inspection, "symbol") == ("QM", "sure")
    assert "tick: 0.01" in next(question.asks for question in inspection.questions if question.setting == "instruments")


def test_two_markets_in_one_file_are_refused(tmp_path: Path) -> None:
    both = pl.concat([market().with_columns(symbol=pl.lit("MESZ5")), market().with_columns(symbol=pl.lit("MNQZ5"))])
    with pytest.raises(DataError, match="MES, MNQ"):
        inspected(tmp_path, "bars.parquet", plain_parquet(both))


def test_bars_that_cannot_be_are_counted_put_aside_and_asked(tmp_path: Path) -> None:
    dirty = market().with_columns(high=pl.when(pl.int_range(pl.len()) == 500).then(pl.col("low") - 1).otherwise("high"))
    inspection = inspected(tmp_path, "MES.csv", plain(dirty))
    assert inspection.quality.quarantined == 1
    assert inspection.settings["ingest.on_bad_rows"] == "quarantine"
    assert asked(inspection) == {"ingest.on_bad_rows"}


def test_a_file_without_any_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        inspected(tmp_path, "MES.csv", plain(market().with_columns(pl.lit(None).alias(name) for name in ("open", "high", "low", "close"))))
    assert error.value.code == "bars/no-rows"


@pytest.mark.parametrize(
    ("name", "root"),
    [("MES_1m.parquet", "MES"), ("MES 09-25.Last.txt", "MES"), ("CME_MINI_MES1!, 1.csv", "MES"), ("MGCZ5.csv", "MGC"), ("mgc.csv", "MGC"),
     ("messages.csv", None), ("es-2025.csv", "ES"), ("/MES/bars.csv", None)],
)  # fmt: skip
def test_a_files_name_may_say_the_market(name: str, root: str | None) -> None:
    assert root_in_name(name, SHIPPED) == root


def test_the_step_of_prices_survives_a_few_wrong_ones() -> None:
    prices = 6000 + 0.25 * np.random.default_rng(2).integers(0, 400, 10_000)
    assert tick_of([prices]).size == 0.25
    prices[:20] += 0.01
    assert (tick_of([prices]).size, tick_of([prices]).off) == (0.25, 20)
    assert tick_of([prices / 3.0]).size is None
    assert tick_of([100 + np.random.default_rng(2).integers(0, 400, 10_000) / 32]).size == 0.03125


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id} {case.code}")
def test_a_bad_file_gets_a_typed_error_or_an_answer(case: Case, tmp_path: Path) -> None:
    path = case.build(tmp_path)
    with contextlib.suppress(BarsmithError):  # and nothing else
        assert yaml_of(inspect_file(path)).isascii()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("MES_raw_sample.csv", {"timezone": "UTC", "timestamps": "close", "tick": "0.25", "symbol": "MES", "vendor": "NinjaTrader"}),
        ("MES_raw_sample_header.csv", {"timezone": "UTC", "timestamps": "close", "tick": "0.25", "symbol": "MES"}),
        ("MGC_1m_contracts_sample.parquet", {"timezone": "UTC", "timestamps": "open", "tick": "0.1", "contracts": "MGCZ5, MGCG6"}),
        ("MES_1m.parquet", {"timezone": "UTC", "timestamps": "open", "tick": "0.25", "sessions": "ETH of equity index"}),
        ("MGC_1m.parquet", {"timezone": "UTC", "timestamps": "open", "tick": "0.1", "sessions": "ETH of metals"}),
    ],
)
def test_the_real_files_are_what_their_provenance_says(real_data: Path, name: str, facts: dict[str, str]) -> None:
    inspection = inspect_file(real_data / name)
    for what, value in facts.items():
        assert found(inspection, what)[0] == value, what
    assert {found(inspection, what)[1] for what in ("timezone", "timestamps", "tick")} == {"sure"}
    assert asked(inspection) <= {"rolls"}


@pytest.mark.real
@pytest.mark.parametrize(("name", "first"), [("MES_raw_sample.csv", 0), ("MES_raw_sample_header.csv", 54_204)])
def test_the_yaml_of_a_real_export_gives_the_bars_of_the_continuous_file(real_data: Path, name: str, first: int, tmp_path: Path) -> None:
    truth = pl.read_parquet(real_data / "MES_1m.parquet")[first : first + 5000].drop("symbol")
    bars = ingested(tmp_path, inspect_file(real_data / name), (real_data / name).read_bytes())
    assert bars.equals(truth.with_columns(pl.col("volume").cast(pl.Float64)))


@pytest.mark.real
def test_the_dirt_of_the_real_bars_is_counted_as_in_their_provenance(real_data: Path) -> None:
    mes, mgc = (inspect_file(real_data / f"{symbol}_1m.parquet").quality for symbol in ("MES", "MGC"))
    codes = ("bars/out-of-session", "bars/gap", "bars/calendar", "bars/duplicate", "bars/zero-volume", "bars/off-tick")
    assert [mes.warned(code) for code in codes] == [92, 347, 36, 0, 0, 0]
    assert [mgc.warned(code) for code in codes] == [0, 1900, 0, 0, 0, 0]


@pytest.mark.real
def test_the_real_year_written_in_other_zones_is_found(real_data: Path, tmp_path: Path) -> None:
    bars = pl.read_parquet(real_data / "MES_1m.parquet").drop("symbol")
    for zone in ("America/Chicago", "Europe/Berlin"):
        inspection = inspected(tmp_path, "MES.parquet", plain_parquet(bars, zone, "close"))
        assert (found(inspection, "timezone"), found(inspection, "timestamps")) == ((zone, "sure"), ("close", "sure"))
