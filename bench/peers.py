"""The columns that pandas-ta-classic, `ta` and QuantWave have too: how each library is asked for them, and in which unit it answers."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from barsmith.features import close, high, low
from barsmith.features import ta as talib_node
from barsmith.features.catalog.moving_averages import weighted_average
from barsmith.features.graph import Expr
from barsmith.features.registry import catalogue

Columns = dict[str, np.ndarray]


def ours() -> dict[str, Expr]:
    """Catalogue features where a peer has the same number, else the indicator that a feature is made of, in the peers' unit."""
    known = {name: feature.expr for name, feature in catalogue().items()}
    macd = talib_node.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    return {
        "rsi_14": known["rsi_14"] * 100,
        "roc_10": known["roc_10"] * 100,
        "cci_20": known["cci_20"] * 100,
        "williams_r_14": known["williams_r_14"] * 100,
        "adx_14": known["adx_14"] * 100,
        "aroon_oscillator_25": known["aroon_oscillator_25"] * 100,
        "bollinger_position_20": known["bollinger_position_20"],
        "bollinger_width_20": known["bollinger_width_20"] * 100,
        "sma_50": talib_node.SMA(close, timeperiod=50),
        "ema_21": talib_node.EMA(close, timeperiod=21),
        "wma_20": weighted_average(close, n=20),
        "dema_20": talib_node.DEMA(close, timeperiod=20),
        "tema_20": talib_node.TEMA(close, timeperiod=20),
        "kama_10": talib_node.KAMA(close, timeperiod=10),
        "macd_histogram": macd.macdhist,
        "atr_14": talib_node.ATR(high, low, close, timeperiod=14),
        "middle_20": (talib_node.MAX(high, timeperiod=20) + talib_node.MIN(low, timeperiod=20)) / 2,
    }


def pandas_ta_classic(bars: Any, talib: bool) -> dict[str, Callable[[], Any]]:
    """bars: pandas. talib: whether it may hand the work to TA-Lib, as it does where that is installed."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas_ta_classic as p
    h, l, c = (bars[name] for name in ("high", "low", "close"))
    k = {"talib": talib}
    return {
        "rsi_14": lambda: p.rsi(c, length=14, **k),
        "roc_10": lambda: p.roc(c, length=10, **k),
        "cci_20": lambda: p.cci(h, l, c, length=20, **k),
        "williams_r_14": lambda: p.willr(h, l, c, length=14, **k),
        "adx_14": lambda: p.adx(h, l, c, length=14, **k).iloc[:, 0],
        "aroon_oscillator_25": lambda: p.aroon(h, l, length=25, **k).iloc[:, 2],
        "bollinger_position_20": lambda: p.bbands(c, length=20, std=2, **k).iloc[:, 4],
        "bollinger_width_20": lambda: p.bbands(c, length=20, std=2, **k).iloc[:, 3],
        "sma_50": lambda: p.sma(c, length=50, **k),
        "ema_21": lambda: p.ema(c, length=21, **k),
        "wma_20": lambda: p.wma(c, length=20, **k),
        "dema_20": lambda: p.dema(c, length=20, **k),
        "tema_20": lambda: p.tema(c, length=20, **k),
        "kama_10": lambda: p.kama(c, length=10, fast=2, slow=30, **k),
        "macd_histogram": lambda: p.macd(c, fast=12, slow=26, signal=9, **k).iloc[:, 1],
        "atr_14": lambda: p.atr(h, l, c, length=14, **k),
        "middle_20": lambda: p.donchian(h, l, lower_length=20, upper_length=20).iloc[:, 1],
    }


def ta(bars: Any) -> dict[str, Callable[[], Any]]:
    """bars: pandas."""
    from ta import momentum, trend, volatility

    h, l, c = (bars[name] for name in ("high", "low", "close"))
    return {
        "rsi_14": lambda: momentum.RSIIndicator(c, 14).rsi(),
        "roc_10": lambda: momentum.ROCIndicator(c, 10).roc(),
        "cci_20": lambda: trend.CCIIndicator(h, l, c, 20).cci(),
        "williams_r_14": lambda: momentum.WilliamsRIndicator(h, l, c, 14).williams_r(),
        "adx_14": lambda: trend.ADXIndicator(h, l, c, 14).adx(),
        "bollinger_position_20": lambda: volatility.BollingerBands(c, 20, 2).bollinger_pband(),
        "bollinger_width_20": lambda: volatility.BollingerBands(c, 20, 2).bollinger_wband(),
        "sma_50": lambda: trend.SMAIndicator(c, 50).sma_indicator(),
        "ema_21": lambda: trend.EMAIndicator(c, 21).ema_indicator(),
        "wma_20": lambda: trend.WMAIndicator(c, 20).wma(),
        "kama_10": lambda: momentum.KAMAIndicator(c, 10, 2, 30).kama(),
        "macd_histogram": lambda: trend.MACD(c, 26, 12, 9).macd_diff(),
        "atr_14": lambda: volatility.AverageTrueRange(h, l, c, 14).average_true_range(),
        "middle_20": lambda: volatility.DonchianChannel(h, l, c, 20).donchian_channel_mband(),
    }


def quantwave(bars: pl.DataFrame) -> dict[str, Callable[[], Any]]:
    """Each its Polars expression; `select` of all of them together runs on all cores."""
    import quantwave as _  # noqa: F401 it adds the namespace `ta` to Polars expressions

    c = pl.col("close").ta
    found = {
        "rsi_14": c.rsi(14),
        "roc_10": c.roc(10),
        "cci_20": c.cci("high", "low", 20),
        "williams_r_14": c.willr("high", "low", 14),
        "adx_14": c.adx("high", "low", 14),
        "sma_50": c.sma(50),
        "ema_21": c.ema(21),
        "wma_20": c.wma(20),
        "dema_20": c.dema(20),
        "tema_20": c.tema(20),
        "kama_10": c.kama(10),
        "atr_14": c.atr("high", "low", 14),
    }
    return {name: (lambda e=e: bars.select(e.alias("x"))["x"]) for name, e in found.items()}


def values(answer: Any) -> np.ndarray:
    return np.asarray(answer, np.float64)


def agrees(theirs: np.ndarray, mine: np.ndarray, skip: int = 2000) -> bool:
    """Within a millionth of the value or of the column's median size, once both have settled."""
    theirs, mine = theirs[skip:], mine[skip:]
    size = np.maximum(np.abs(mine), np.nanmedian(np.abs(mine)))
    return bool((np.abs(theirs - mine) <= 1e-6 * size).all())
