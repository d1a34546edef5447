"""Bars in the forms in which vendors hand them out. Each writer takes UTC bars stamped at their open and returns the file's text or bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import polars as pl

PRICES = ("open", "high", "low", "close")


def wall(bars: pl.DataFrame, zone: str, stamps: str, form: str) -> pl.Series:
    """The stamps as the clock of a zone showed them, at the open or the close of the minute."""
    moment = bars["datetime"] + timedelta(minutes=stamps == "close")
    return moment.dt.convert_time_zone(zone).dt.strftime(form)


def text(frame: pl.DataFrame, **options: object) -> bytes:
    return frame.write_csv(**options).encode()  # type: ignore[arg-type]


def plain(bars: pl.DataFrame, zone: str = "UTC", stamps: str = "open") -> bytes:
    """A table of naive stamps, as anybody writes one."""
    return text(bars.with_columns(datetime=wall(bars, zone, stamps, "%Y-%m-%d %H:%M:%S")))


def plain_parquet(bars: pl.DataFrame, zone: str = "UTC", stamps: str = "open") -> bytes:
    sink = io.BytesIO()
    bars.with_columns(datetime=wall(bars, zone, stamps, "%Y-%m-%d %H:%M:%S").str.to_datetime()).write_parquet(sink)
    return sink.getvalue()


def ninjatrader(bars: pl.DataFrame, zone: str = "UTC", stamps: str = "close") -> bytes:
    """`yyyyMMdd HHmmss;open;high;low;close;volume` without a header. Source: NinjaTrader help, Historical Data, Importing."""
    return text(bars.with_columns(datetime=wall(bars, zone, stamps, "%Y%m%d %H%M%S")), include_header=False, separator=";")


def tradingview(bars: pl.DataFrame, zone: str = "America/Chicago") -> bytes:
    """Export of chart data with ISO times."""
    return text(bars.rename({"datetime": "time", "volume": "Volume"}).with_columns(time=wall(bars, zone, "open", "%Y-%m-%dT%H:%M:%S%:z")))


def tradingview_epoch(bars: pl.DataFrame) -> bytes:
    """Export of chart data with UNIX timestamps."""
    return text(bars.rename({"datetime": "time", "volume": "Volume"}).with_columns(time=bars["datetime"].dt.epoch("s")))


def interactive_brokers(bars: pl.DataFrame, zone: str = "America/Chicago", form: str = "%Y-%m-%d %H:%M:%S") -> bytes:
    """ib_insync's `util.df(bars)` as CSV: an index, then the fields of BarData."""
    average = ((bars["high"] + bars["low"]) / 2).round(3)
    frame = bars.rename({"datetime": "date"}).with_columns(date=wall(bars, zone, "open", form), average=average, barCount=pl.lit(7))
    return text(frame.with_row_index(""))


def interactive_brokers_zoned(bars: pl.DataFrame) -> bytes:
    """The API's own dates: `20250612 04:00:00 US/Central`."""
    return interactive_brokers(bars, form="%Y%m%d %H:%M:%S US/Central")


def databento(bars: pl.DataFrame, symbol: str = "MESZ5") -> bytes:
    """ohlcv-1m with pretty timestamps and prices. Source: databento.com/docs, CSV encoding."""
    ids = {"rtype": pl.lit(33), "publisher_id": pl.lit(1), "instrument_id": pl.lit(17077)}
    prices = {name: pl.col(name).map_elements(lambda x: f"{x:.9f}", return_dtype=pl.String) for name in PRICES}
    stamps = wall(bars, "UTC", "open", "%Y-%m-%dT%H:%M:%S.000000000Z")
    frame = bars.with_columns(ts_event=stamps, symbol=pl.lit(symbol), **ids, **prices)
    return text(frame.select("ts_event", "rtype", "publisher_id", "instrument_id", *PRICES, "volume", "symbol"))


def databento_raw(bars: pl.DataFrame, symbol: str = "MESZ5") -> bytes:
    """ohlcv-1m as it is in DBN: nanoseconds since 1970 and prices in units of 1e-9."""
    ids = {"rtype": pl.lit(33), "publisher_id": pl.lit(1), "instrument_id": pl.lit(17077)}
    prices = {name: (pl.col(name) * 1e9).round().cast(pl.Int64) for name in PRICES}
    frame = bars.with_columns(ts_event=bars["datetime"].dt.epoch("ns"), symbol=pl.lit(symbol), **ids, **prices)
    return text(frame.select("ts_event", "rtype", "publisher_id", "instrument_id", *PRICES, "volume", "symbol"))


FORMS: dict[str, tuple[str, str, Callable[[pl.DataFrame], bytes]]] = {
    "ninjatrader": ("MES 12-25.Last.txt", "NinjaTrader", ninjatrader),
    "ninjatrader in Chicago": ("MES 12-25.Last.txt", "NinjaTrader", lambda bars: ninjatrader(bars, "America/Chicago")),
    "ninjatrader, start of bar": ("MES 12-25.Last.txt", "NinjaTrader", lambda bars: ninjatrader(bars, "UTC", "open")),
    "tradingview": ("CME_MINI_MES1!, 1.csv", "TradingView", tradingview),
    "tradingview, epoch": ("CME_MINI_DL_MES1!, 1.csv", "TradingView", tradingview_epoch),
    "interactive brokers": ("MES_1min.csv", "Interactive Brokers", interactive_brokers),
    "interactive brokers in New York": ("MES.csv", "Interactive Brokers", lambda bars: interactive_brokers(bars, "America/New_York")),
    "interactive brokers, zoned": ("MES.csv", "Interactive Brokers", interactive_brokers_zoned),
    "databento": ("glbx-mdp3-20251013-20251115.ohlcv-1m.csv", "Databento", databento),
    "databento, raw": ("glbx-mdp3-20251013-20251115.ohlcv-1m.csv", "Databento", databento_raw),
    "parquet": ("MES.parquet", "", plain_parquet),
    "parquet in Berlin, closes": ("MES.parquet", "", lambda bars: plain_parquet(bars, "Europe/Berlin", "close")),
}
"""Name of the form -> (file name, vendor, writer)."""
