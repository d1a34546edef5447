"""One feature under the price of its contract, as a page: bars side by side without the nights between them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.errors import DataError, UsageError
from barsmith.features.distribution import Distribution
from barsmith.features.formula import formula
from barsmith.features.registry import Feature
from barsmith.pipeline.feature_values import FeatureValues
from barsmith.pipeline.page import COLOURS, is_made_by, page, picture, sentence, table

MADE_BY = "barsmith features plot"
#: Trade dates that are drawn unasked.
DAYS = 5
#: Bars that a browser draws without delay, and bars that still look like candles.
MOST, CANDLES = 20_000, 3_000
#: Sessions that have their date written above them, as many as a phone has room for, and values of a feature that moves in steps.
DATED, STEPS = 5, 12
INK, SOFT, FEATURE = "#1c2733", "#94a3b8", "#7c3aed"


def is_ours(path: Path) -> bool:
    """Whether an earlier plot wrote the file."""
    return is_made_by(path, MADE_BY)


def window(values: FeatureValues, first: date | None, last: date | None) -> range:
    """The rows of the trade dates from `first` to `last`; five of them where one or both are left out, the latest if both are.

    Raises UsageError `cli/date` where there are none, or too many bars for a picture; DataError `bars/too-few-rows`.
    """
    if not len(values.bars):
        raise DataError("bars/too-few-rows", expected=f"a finished bar of {values.base}", came="none", do="bring a longer file")
    dates = values.bars["trade_date"].to_numpy().astype("datetime64[D]")
    known = np.unique(dates)
    start = int(np.searchsorted(known, np.datetime64(first))) if first else 0
    stop = int(np.searchsorted(known, np.datetime64(last), "right")) if last else len(known)
    if first and not last:
        stop = min(start + DAYS, stop)
    elif not first:
        start = max(stop - DAYS, 0)
    if start >= stop:
        raise no_bars(known, first, last)
    rows = range(*np.searchsorted(dates, [known[start], known[stop - 1] + 1]).tolist())
    if len(rows) > MOST:
        raise UsageError("cli/date", expected=f"at most {MOST:,} bars", came=f"{len(rows):,}", do="bring --from and --to closer together")
    return rows


def no_bars(known: np.ndarray, first: date | None, last: date | None) -> UsageError:
    """Why no trade date of the file lies from `first` to `last`. known: (d,) those that it has, ascending."""
    if first and last and first > last:
        return UsageError("cli/date", expected="--from on or before --to", came=f"--from {first} --to {last}", do="swap them")
    asked = " ".join(f"{option} {day}" for option, day in (("--from", first), ("--to", last)) if day)
    near = np.unique(np.clip(np.searchsorted(known, np.datetime64(first or last)) + np.array([-1, 0]), 0, len(known) - 1))
    holds = f"the file holds {len(known):,} trade dates from {known[0]} to {known[-1]}; nearest: {' and '.join(map(str, known[near]))}"
    return UsageError("cli/date", expected="trade dates that the file holds", came=f"{asked}: no session", do=holds)


def feature_page(one: Feature, values: FeatureValues, rows: range) -> str:
    """The whole page."""
    dates = values.bars["trade_date"]
    lead = (
        f"{values.symbol}, {len(rows):,} bars of {values.base} from {dates[rows.start]} to {dates[rows.stop - 1]}, of {values.came_from}. "
        "Times are UTC; a value is known at its bar's end."
    )
    spread = {name: Distribution.of(part).as_dict() for name, part in values.parts().items()}
    numbers = [{"rows": key, **{name: part[key] for name, part in spread.items()}} for key in spread["all"]]
    what = [
        sentence(one.summary),
        sentence(f"Unit: {one.unit or '-'}. Source: {one.source or '-'}."),
        sentence(f"Formula: {formula(one.expr)}"),
    ]
    sections = [("Over price", [picture(figure(one, values, rows), "plot", 620)]), ("What it is", what), ("Distribution", [table(numbers)])]
    return page(f"{one.name} over {values.symbol}", lead, sections, MADE_BY)


def figure(one: Feature, values: FeatureValues, rows: range) -> Any:
    """Price above, feature below, on one axis of bars, so that one hover tells both; a line where a session begins."""
    import plotly.graph_objects as go

    bars, column = values.bars[rows.start : rows.stop], values.values[rows.start : rows.stop]
    moments = labels(bars)
    drawn = go.Figure([price(bars, moments, values.symbol), *lines(one, column, values.settled[rows.start : rows.stop], moments)])
    for at, text in edges(bars):
        drawn.add_shape(type="line", x0=at - 0.5, x1=at - 0.5, y0=0, y1=1, yref="paper", line={"color": SOFT, "width": 1, "dash": "dot"})
        x, side = (at, "left") if len(bars) - at >= len(bars) / 10 else (len(bars) - 0.5, "right")  # a phone would cut it
        drawn.add_annotation(x=x, y=1, yref="paper", text=text, showarrow=False, xanchor=side, yanchor="bottom", font={"size": 11})
    axis = {"type": "category", "range": [-0.5, len(bars) - 0.5], "nticks": 5, "tickangle": 0, "showgrid": False, "anchor": "y2"}
    drawn.update_layout(
        xaxis={**axis, "rangeslider": {"visible": False}},
        yaxis={"domain": [0.42, 1], "title": values.symbol, "automargin": True},
        yaxis2={"domain": [0, 0.38], "title": one.name, "automargin": True, "nticks": 6},
    )
    return drawn.update_layout(showlegend=False, hovermode="x unified", hoversubplots="axis", font={"color": INK})


def lines(one: Feature, column: np.ndarray, settled: np.ndarray, moments: list[str]) -> list[Any]:
    """The feature, grey where it is still warming up; in steps where it waits for a longer bar or has few values."""
    import plotly.graph_objects as go

    shape = "hv" if one.timeframes or len(np.unique(column[np.isfinite(column)])) <= STEPS else "linear"
    return [
        go.Scatter(
            x=moments,
            y=np.where(is_part, column, np.nan),
            name=name,
            mode="lines",
            line={"color": colour, "width": 1.5, "shape": shape},
            yaxis="y2",
        )
        for name, colour, is_part in ((one.name, FEATURE, settled), (f"{one.name}, warming up", SOFT, ~settled))
        if is_part.any()
    ]


def labels(bars: pl.DataFrame) -> list[str]:
    """Each bar's open as text, another one for each."""
    opens = bars["datetime"]
    return opens.dt.strftime("%H:%M<br>%d %b %Y" if (opens[-1] - opens[0]).days > 300 else "%H:%M<br>%d %b").to_list()


def price(bars: pl.DataFrame, moments: list[str], symbol: str) -> Any:
    """Candles, or the close where there are too many of them."""
    import plotly.graph_objects as go

    columns = {name: bars[name].to_numpy() for name in ("open", "high", "low", "close")}
    if len(bars) > CANDLES:
        return go.Scatter(x=moments, y=columns["close"], name=symbol, mode="lines", line={"color": INK, "width": 1})
    up, down = ({"line": {"color": COLOURS[side], "width": 1}, "fillcolor": COLOURS[side]} for side in ("long", "short"))
    return go.Candlestick(x=moments, **columns, name=symbol, increasing=up, decreasing=down)


def edges(bars: pl.DataFrame) -> list[tuple[int, str]]:
    """Where sessions begin, the last one and some before it with their trade dates, and where a new contract begins."""
    number, contract = bars["session_id"].to_numpy(), bars["contract"].to_numpy()
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1)).tolist()
    every = -(-len(first) // DATED)
    dated = set(first[::-every])
    sessions = [(at, f"{bars['trade_date'][at]:%d %b}" if at in dated else "") for at in first]
    return sessions + [(at, "roll") for at in np.flatnonzero(np.diff(contract, prepend=contract[0])).tolist()]
