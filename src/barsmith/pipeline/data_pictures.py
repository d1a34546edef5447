"""The pictures of a data run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.pipeline.page import COLOURS

if TYPE_CHECKING:
    from barsmith.pipeline.data_report import Facts

CLASSES = {-1: "short", 0: "neutral", 1: "long"}
SPLITS = {"train": "#1d4ed8", "val": "#d97706", "test": "#64748b"}


def price(facts: Facts) -> Any:
    """The close of each session, with the splits drawn on it."""
    import plotly.graph_objects as go

    ends = np.flatnonzero(np.diff(facts.bars["session_id"].to_numpy(), append=-1))
    daily = facts.bars[ends.tolist()]
    figure = go.Figure(
        go.Scatter(x=daily["datetime"].to_list(), y=daily["close"].to_list(), name="close of the session", line_color="#1c2733")
    )
    for name, colour in SPLITS.items():
        first, last = facts.split[name]
        x0, x1 = facts.bars["datetime"][first], facts.bars["datetime"][last - 1]
        figure.add_shape(type="rect", x0=x0, x1=x1, y0=0, y1=1, yref="paper", fillcolor=colour, opacity=0.12, line_width=0)
        figure.add_annotation(x=x0, y=1, yref="paper", text=name, showarrow=False, xanchor="left", yanchor="bottom", font_color=colour)
    return figure.update_layout(title="Price and splits; what lies between them is purge and embargo", showlegend=False)


def label_shares(facts: Facts) -> Any:
    """Share of each class by session, for the longest horizon."""
    import plotly.graph_objects as go

    label = facts.labels[f"label_h{facts.longest}"].fill_null(9).to_numpy()[: facts.open_rows]
    _, first, where = np.unique(facts.bars["session_id"].to_numpy()[: facts.open_rows], return_index=True, return_inverse=True)
    days = facts.bars["trade_date"][first.tolist()].to_list()
    known = np.maximum(np.bincount(where, label != 9), 1)
    figure = go.Figure()
    for value, name in facts.asked.classes.items():
        figure.add_bar(x=days, y=np.bincount(where, label == value) / known, name=name, marker_color=COLOURS[CLASSES[value]])
    return figure.update_layout(title=f"Labels by session, horizon {facts.longest}", barmode="stack", bargap=0, yaxis_range=[0, 1])


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
        title=f"Labels by hour of the session, horizon {facts.longest}", barmode="stack", xaxis_title="hours since the open"
    )


def drift(facts: Facts, most: int = 15) -> Any:
    """The kept features whose mean has moved most from train to validation, in interquartile ranges of train."""
    import plotly.graph_objects as go

    kept = facts.feature_set["kept"]
    moved = {name: float(np.nanmean(facts.val[name].to_numpy()) - np.nanmean(facts.train[name].to_numpy())) for name in kept}
    top = sorted(moved.items(), key=lambda item: abs(item[1]))[-most:]
    bars = go.Bar(x=[v for _, v in top], y=[n for n, _ in top], orientation="h", marker_color="#7c3aed")
    figure = go.Figure(bars).update_layout(title="Train to validation: means that moved most (interquartile ranges of train)")
    return figure.update_yaxes(automargin=True)


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
    return figure.update_layout(title=f"Weights in fitting, horizon {facts.longest}", barmode="stack", bargap=0, xaxis_title="weight")


def leaned_on(facts: Facts, most: int = 20) -> Any:
    """The features whose shuffling costs the probe most, with intervals."""
    import plotly.graph_objects as go

    top = facts.importance[:most][::-1]
    at = [one["worse_by"] for one in top]
    high, low = ([one["interval"][1] - one["worse_by"] for one in top], [one["worse_by"] - one["interval"][0] for one in top])
    reach = {"type": "data", "symmetric": False, "array": high, "arrayminus": low}
    figure = go.Figure(go.Bar(x=at, y=[one["feature"] for one in top], orientation="h", error_x=reach, marker_color="#1d4ed8"))
    title = f"Validation Brier score of a ridge probe, horizon {facts.longest}: worse by, with the feature shuffled"
    return figure.update_layout(title=title).update_yaxes(automargin=True)
