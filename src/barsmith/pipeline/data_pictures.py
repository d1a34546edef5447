"""The pictures of a data run's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.bars.minutes import moment
from barsmith.pipeline.page import COLOURS

if TYPE_CHECKING:
    import polars as pl

    from barsmith.pipeline.data_facts import Facts

CLASSES = {-1: "short", 0: "neutral", 1: "long"}
SPLITS = {"train": "#1d4ed8", "val": "#d97706", "test": "#64748b"}


def price(facts: Facts) -> Any:
    """Each session as one bar from low to high, with the splits and the changes of contract, known and suspected, drawn on it."""
    import plotly.graph_objects as go

    daily = by_session(facts.bars)
    days = daily["trade_date"].to_list()
    prices = {name: daily[name].to_list() for name in ("open", "high", "low", "close")}
    both = {"line": {"color": "#1c2733", "width": 1}}
    figure = go.Figure(go.Ohlc(x=days, **prices, increasing=both, decreasing=both, name="session"))
    for name, colour in SPLITS.items():
        first, stop = facts.split[name]
        x0, x1 = facts.bars["trade_date"][first], facts.bars["trade_date"][stop - 1]
        figure.add_shape(type="rect", x0=x0, x1=x1, y0=0, y1=1, yref="paper", fillcolor=colour, opacity=0.12, line_width=0)
        figure.add_annotation(x=x0, y=1, yref="paper", text=name, showarrow=False, xanchor="left", yanchor="bottom", font_color=colour)
    for at, colour, text in contract_changes(facts):
        figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line={"color": colour, "width": 1, "dash": "dot"})
        figure.add_annotation(x=at, y=0, yref="paper", text=text, showarrow=False, xanchor="left", yanchor="bottom", font_color=colour)
    title = "Price by session, with the splits; what lies between them is purge and embargo"
    return figure.update_layout(title=title, showlegend=False).update_xaxes(rangeslider_visible=False).update_yaxes(automargin=True)


def by_session(bars: pl.DataFrame) -> pl.DataFrame:
    """One row a session: trade_date, open, high, low, close."""
    import polars as pl

    first, last = (pl.col(name).first() for name in ("trade_date", "open")), pl.col("close").last()
    return bars.group_by("session_id", maintain_order=True).agg(*first, pl.col("high").max(), pl.col("low").min(), last)


def contract_changes(facts: Facts) -> list[tuple[str, str, str]]:
    """Day, colour and word of each known and each suspected change of contract."""
    known = [(f"{moment(roll['time']):%Y-%m-%d}", "#b3261e", "roll") for roll in facts.rolls]
    return known + [(one["time"][:10], "#d97706", "roll?") for one in facts.cleaned.get("suspected_rolls", [])]


#: More bars than this side by side are a blur on a phone.
MOST_BARS = 90


def label_shares(facts: Facts) -> Any:
    """Share of each class by session, week or month, whichever a phone can show, for the longest horizon."""
    import plotly.graph_objects as go

    label = facts.labels[f"label_h{facts.longest}"].fill_null(9).to_numpy()[: facts.open_rows]
    unit, day = stretch_of(facts.bars["trade_date"][: facts.open_rows])
    days, where = np.unique(day.to_numpy(), return_inverse=True)
    known = np.maximum(np.bincount(where, label != 9), 1)
    figure = go.Figure()
    for value, name in facts.asked.classes.items():
        shares = np.bincount(where, label == value) / known
        figure.add_bar(x=[str(day) for day in days], y=shares, name=name, marker_color=COLOURS[CLASSES[value]])
    title = f"Labels by {unit}, horizon {facts.longest}: share of each class"
    return figure.update_layout(title=title, barmode="stack", bargap=0, yaxis_range=[0, 1])


def stretch_of(day: pl.Series) -> tuple[str, pl.Series]:
    """The shortest stretch of which no more than MOST_BARS stand side by side, else the month; and each day's first day of its stretch."""
    for unit, every in (("session", "1d"), ("week", "1w")):
        begun = day.dt.truncate(every)
        if begun.n_unique() <= MOST_BARS:
            return unit, begun
    return "month", day.dt.truncate("1mo")


def shares_by_hour(facts: Facts) -> Any:
    """Share of each class by the hours since the session's open."""
    import plotly.graph_objects as go

    label = facts.labels[f"label_h{facts.longest}"].fill_null(9).to_numpy()[: facts.open_rows]
    hour = (facts.bars["minutes_since_open"].to_numpy()[: facts.open_rows] - 1) // 60
    known = np.maximum(np.bincount(hour, label != 9), 1)
    figure = go.Figure()
    for value, name in facts.asked.classes.items():
        shares = np.bincount(hour, label == value, len(known)) / known
        figure.add_bar(x=np.arange(len(known)), y=shares, name=name, marker_color=COLOURS[CLASSES[value]])
    return figure.update_layout(
        title=f"Labels by hour of the session, horizon {facts.longest}: share of each class",
        barmode="stack",
        xaxis_title="hours since the open",
    )


def drift(facts: Facts, most: int = 15) -> Any:
    """The kept features that moved furthest from train to validation, each beside the furthest stretch of train itself."""
    import plotly.graph_objects as go

    top = facts.drift[:most][::-1]
    names = [one["feature"] for one in top]
    figure = go.Figure(
        go.Bar(x=[one["index"] for one in top], y=names, orientation="h", marker_color="#7c3aed", name="train to validation")
    )
    mark = {"symbol": "line-ns-open", "size": 14, "line": {"width": 3}, "color": "#1c2733"}
    figure.add_scatter(x=[one["within_train"] for one in top], y=names, mode="markers", marker=mark, name="worst stretch within train")
    title = "Population stability index: train to validation, and within train"
    return figure.update_layout(title=title, bargap=0.4).update_yaxes(automargin=True)


def weights(facts: Facts) -> Any:
    """How the sample weights of train are spread over each class, for the longest horizon."""
    import plotly.graph_objects as go

    rows = facts.train.select(label=f"label_h{facts.longest}", weight=f"sample_weight_h{facts.longest}").drop_nulls()
    spread = rows["weight"].to_numpy()
    edges = np.linspace(spread.min(initial=0.5), spread.max(initial=1.5), 41)
    figure = go.Figure()
    for value, name in facts.asked.classes.items():
        count, _ = np.histogram(rows["weight"].filter(rows["label"] == value).to_numpy(), edges)
        figure.add_bar(x=(edges[:-1] + edges[1:]) / 2, y=count, name=name, marker_color=COLOURS[CLASSES[value]])
    return figure.update_layout(title=f"Weights in fitting, horizon {facts.longest}: rows", barmode="stack", bargap=0, xaxis_title="weight")


def leaned_on(facts: Facts, most: int = 20) -> Any:
    """The features whose shuffling costs the probe most, with intervals."""

    figure = worse_by(facts.importance[:most])
    title = f"Brier score on validation, horizon {facts.longest}: worse by, with the feature shuffled"
    return figure.update_layout(title=title).update_yaxes(automargin=True)


def worse_by(importance: Sequence[Mapping[str, Any]]) -> Any:
    """Bars with intervals, the longest on top. importance: `Importance` as dicts, highest first."""
    import plotly.graph_objects as go

    rows = list(importance)[::-1]
    at = [one["worse_by"] for one in rows]
    ends = [one["interval"] or (one["worse_by"], one["worse_by"]) for one in rows]
    high, low = ([end[1] - x for end, x in zip(ends, at, strict=True)], [x - end[0] for end, x in zip(ends, at, strict=True)])
    reach = {"type": "data", "symmetric": False, "array": high, "arrayminus": low}
    bars = go.Bar(x=at, y=[one["feature"] for one in rows], orientation="h", error_x=reach, marker_color="#1d4ed8")
    return go.Figure(bars).update_yaxes(automargin=True, dtick=1)


def alike(facts: Facts, most: int = 12) -> Any:
    """Absolute correlations of the kept features, the most alike beside each other, with the largest groups framed and numbered."""
    import plotly.graph_objects as go

    names = facts.alike.columns
    percent = np.rint(facts.alike.to_numpy() * 100).astype(np.uint8)
    hover = "%{x}<br>%{y}<br>%{z} %<extra></extra>"
    bar = {"ticksuffix": " %", "orientation": "h", "y": -0.02, "yanchor": "top", "thickness": 12}
    heat = go.Heatmap(z=percent, x=names, y=names, colorscale="Blues", zmin=0, zmax=100, colorbar=bar, hovertemplate=hover)
    figure, place, middle = go.Figure(heat), {name: i for i, name in enumerate(names)}, {}
    for number, group in enumerate(facts.clusters[:most], 1):
        first, last = min(place[name] for name in group), max(place[name] for name in group)
        edges = {"x0": first - 0.5, "x1": last + 0.5, "y0": first - 0.5, "y1": last + 0.5}
        figure.add_shape(type="rect", **edges, line={"color": "#c2410c", "width": 2})
        middle[names[(first + last) // 2]] = f"{number}"
    ticks = {"tickmode": "array", "tickvals": list(middle), "ticktext": list(middle.values())}
    figure.update_xaxes(showticklabels=False).update_yaxes(**ticks, autorange="reversed")
    return figure.update_layout(title=f"Absolute correlation of {len(names)} kept features on train; framed: the largest groups")
