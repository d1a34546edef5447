"""A zone that the stamps claim is believed until the market's breaks refute it: planted liars, and honest files of the same kinds."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from test_inspection import asked, found, ingested, inspected, market
from vendor_files import FORMS, plain, text, wall

from barsmith.bars.inspection import Inspection, inspect_file
from barsmith.bars.inspection_yaml import yaml_of

CHICAGO = "America/Chicago"


def zulu(bars: pl.DataFrame, zone: str, stamps: str = "open", end: str = "Z") -> bytes:
    """Clock times of a zone under the name of another, as a hasty `strftime` or `tz_localize` makes them."""
    return text(bars.with_columns(datetime=wall(bars, zone, stamps, f"%Y-%m-%dT%H:%M:%S{end}")))


def apart(bars: pl.DataFrame) -> bytes:
    clock = wall(bars, CHICAGO, "open", "%H:%M:%SZ")
    return text(bars.select(wall(bars, CHICAGO, "open", "%Y-%m-%d").alias("date"), clock.alias("time"), pl.exclude("datetime")))


def localized(bars: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    local = bars["datetime"].dt.convert_time_zone(CHICAGO).dt.replace_time_zone(None).dt.replace_time_zone("UTC")
    bars.with_columns(datetime=local).write_parquet(sink)
    return sink.getvalue()


def epochs(bars: pl.DataFrame) -> bytes:
    local = bars["datetime"].dt.convert_time_zone(CHICAGO).dt.replace_time_zone(None)
    return text(bars.with_columns(datetime=local.dt.epoch("s")))


def regular_hours(bars: pl.DataFrame) -> pl.DataFrame:
    local = pl.col("datetime").dt.convert_time_zone(CHICAGO)
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    return bars.filter((minute >= 8 * 60 + 30) & (minute < 15 * 60))


def because(inspection: Inspection, what: str) -> str:
    return next(each.evidence for each in inspection.findings if each.what == what)


def questions(inspection: Inspection) -> str:
    return " ".join(question.asks for question in inspection.questions)


LIARS: dict[str, tuple[Callable[[pl.DataFrame], bytes], str, str]] = {
    "Chicago with a Z": (lambda bars: zulu(bars, CHICAGO), "UTC", CHICAGO),
    "closes of Berlin with a Z": (lambda bars: zulu(bars, "Europe/Berlin", "close"), "UTC", "Europe/Berlin"),
    "UTC with Chicago's offset": (lambda bars: zulu(bars, "UTC", end="-06:00"), "offsets -06:00", "UTC"),
    "New York as US/Central": (lambda bars: zulu(bars, "America/New_York", end=" US/Central"), "US/Central", "America/New_York"),
    "date and time apart": (apart, "UTC", CHICAGO),
    "a Datetime column": (localized, "UTC", CHICAGO),
    "seconds since 1970": (epochs, "UTC", CHICAGO),
}


@pytest.mark.parametrize("name", LIARS)
def test_a_claimed_zone_that_the_breaks_refute_is_named_asked_and_not_used(name: str, tmp_path: Path) -> None:
    write, claim, zone = LIARS[name]
    inspection = inspected(tmp_path, "MES", write(market()))
    assert found(inspection, "timezone") == (zone, "sure")
    assert [each.what for each in inspection.findings].count("timezone") == 1
    assert because(inspection, "timezone").startswith(f"the stamps say {claim}, but 24 of 24 stretches of trading begin")
    assert asked(inspection) == {"ingest.timezone"}
    assert f"The stamps say {claim}, but the daily break fits {zone}: 24 of 24" in questions(inspection)
    assert found(inspection, "timestamps")[1] == "sure"
    assert inspection.raw is not None
    assert inspection.raw.frame["datetime"].equals(market()["datetime"])
    assert inspection.quality.warned("bars/out-of-session") == 0


def test_the_way_it_offers_ingests_the_bars(tmp_path: Path) -> None:
    liar = zulu(market(), CHICAGO)
    inspection = inspected(tmp_path, "MES.csv", liar)
    assert "without a zone" in questions(inspection)
    assert inspection.settings["ingest.timezone"] == CHICAGO
    assert "# ingest.timezone? The stamps say UTC" in yaml_of(inspection)
    bars = ingested(tmp_path / "workspace", inspection, liar.replace(b"Z,", b","))
    assert bars["datetime"].equals(market()["datetime"])


def test_a_liar_of_one_half_of_the_year_is_likely_and_its_rivals_are_asked(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, "MES.csv", zulu(market("MES", 22, date(2026, 1, 7)), CHICAGO))
    assert found(inspection, "timezone") == (CHICAGO, "likely")
    assert "Etc/GMT+6" in questions(inspection)


def test_a_claim_on_a_clock_that_no_zone_has_is_asked_and_nothing_is_set(tmp_path: Path) -> None:
    """MetaTrader's servers count seconds of their own clock, which changes with New York."""
    bars = market("MES", 60, date(2025, 9, 15))
    server = bars["datetime"].dt.convert_time_zone("America/New_York").dt.replace_time_zone(None) + timedelta(hours=7)
    inspection = inspected(tmp_path, "MES.csv", text(bars.with_columns(datetime=server.dt.epoch("s"))))
    assert found(inspection, "timezone") == ("nearly Europe/Athens", "not known")
    assert "ingest.timezone" not in inspection.settings
    assert "export the stamps in UTC" in questions(inspection)
    assert inspection.raw is None


def test_regular_hours_alone_refute_a_claim_but_not_surely(tmp_path: Path) -> None:
    bars = regular_hours(market())
    inspection = inspected(tmp_path, "MES.csv", zulu(bars, CHICAGO))
    assert found(inspection, "timezone") == (CHICAGO, "likely")
    assert "the regular hours fit America/Chicago" in questions(inspection)


@pytest.mark.parametrize("zone", ["UTC", CHICAGO, "Asia/Tokyo"])
@pytest.mark.parametrize("bars", [market(), regular_hours(market())], ids=["ETH", "RTH"])
def test_an_honest_claim_is_believed(bars: pl.DataFrame, zone: str, tmp_path: Path) -> None:
    honest = bars.with_columns(datetime=wall(bars, zone, "open", "%Y-%m-%dT%H:%M:%S%:z"))
    inspection = inspected(tmp_path, "MES.csv", text(honest))
    assert inspection.questions == []
    assert because(inspection, "timezone") == "the stamps say it"


@pytest.mark.parametrize("form", [form for form in FORMS if form.startswith(("tradingview", "databento", "interactive brokers, zoned"))])
def test_a_vendors_claim_is_believed(form: str, tmp_path: Path) -> None:
    name, _, write = FORMS[form]
    inspection = inspected(tmp_path, name, write(market()))
    assert "ingest.timezone" not in asked(inspection)
    assert because(inspection, "timezone").startswith("the stamps")
    assert "but" not in because(inspection, "timezone")


def test_an_honest_file_cut_an_hour_beside_the_regular_hours_is_not_accused(tmp_path: Path) -> None:
    """14:30 to 21:00 UTC in summer, as London's clock would show the regular hours."""
    june = market("MES", 15, date(2025, 6, 2))
    late = june.filter((pl.col("datetime").dt.time() >= pl.time(14, 30)) & (pl.col("datetime").dt.time() < pl.time(21)))
    inspection = inspected(tmp_path, "MES.csv", zulu(late, "UTC"))
    assert found(inspection, "timezone") == ("UTC", "sure")
    assert "ingest.timezone" not in asked(inspection)


def test_breaks_that_fit_nothing_are_not_called_too_few(tmp_path: Path) -> None:
    bars = market()
    half = bars.filter((pl.col("datetime").dt.time() >= pl.time(9, 7)) & (pl.col("datetime").dt.time() < pl.time(12, 41)))
    inspection = inspected(tmp_path, "MES.csv", zulu(half, "UTC"))
    assert found(inspection, "timezone") == ("UTC", "sure")
    assert "of 25 stretches of trading too few begin and end with a session" in because(inspection, "timestamps")
    assert "too few breaks" not in because(inspection, "sessions")


@pytest.mark.real
def test_the_real_minutes_with_chicagos_clock_and_a_z_are_seen_through(real_data: Path, tmp_path: Path) -> None:
    bars = pl.read_parquet(real_data / "MES_1m.parquet").drop("symbol")
    path = tmp_path / "MES.csv"
    path.write_bytes(zulu(bars, CHICAGO))
    inspection = inspect_file(path)
    assert found(inspection, "timezone") == (CHICAGO, "sure")
    assert inspection.quality.warned("bars/out-of-session") == 92  # those of the honest file
    path.write_bytes(plain(bars).replace(b":00,", b":00Z,"))
    assert asked(inspect_file(path)) <= {"rolls"}
