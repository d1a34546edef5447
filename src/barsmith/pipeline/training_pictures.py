"""The pictures of a training's report: skill, calibration, confusion, probability over time, learning curves, importance."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from barsmith.models.importance import FeatureImportance
from barsmith.pipeline.data_pictures import CLASSES, worse_by
from barsmith.pipeline.page import COLOURS
from barsmith.pipeline.training_result import Judged, Training

BLUE, GREEN, GREY = "#1d4ed8", "#16a34a", "#64748b"
BINS, LEAST = 10, 20  # of the probability; rows in one that is drawn
DRAWS = 1000
FEW = 30  # sessions that are drawn as dots too
PARTS = {"train": "rows learned from", "stop": "inner slice that decides when to stop"}


def skill(judged: Judged, columns: dict[str, str]) -> Any:
    """columns: {score: what it is called}."""
    import plotly.graph_objects as go

    figure, least = go.Figure(), 0.4
    for key, title in columns.items():
        label = title.removeprefix("auc_")
        value, interval = judged.metrics[key], judged.intervals[key]
        if value is None:
            continue
        low, high = interval or (value, value)
        least = min(least, low - 0.02)
        error = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
        figure.add_scatter(x=[value], y=[label], error_x=error, mode="markers", marker={"size": 11, "color": BLUE}, showlegend=False)
        best = (judged.best_possible or {}).get(key)
        if best is not None:
            mark = {"symbol": "diamond-open", "size": 12, "color": GREEN}
            figure.add_scatter(x=[best], y=[label], mode="markers", marker=mark, name="best possible", showlegend=key == "auc_timing")
    figure.add_vline(x=0.5, line_dash="dot", line_color=GREY)
    return figure.update_layout(title="Area under the ROC curve, 95 % interval", xaxis_range=[least, 1.0])


def reliability(judged: Judged, answers: dict[int, str], seed: int) -> Any:
    """Above, the share that came of what was said, with its interval; below, how many rows were said so. answers: {label: its name}."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06)
    middles = (np.arange(BINS) + 0.5) / BINS
    for label, name in answers.items():
        said, came, low, high, counts = calibration(judged, label, seed)
        used = counts >= LEAST
        error = {"type": "data", "symmetric": False, "array": (high - came)[used], "arrayminus": (came - low)[used], "thickness": 1}
        line = {"mode": "lines+markers", "name": name, "line_color": COLOURS[CLASSES[label]], "legendgroup": name}
        figure.add_scatter(x=said[used], y=came[used], error_y=error, row=1, col=1, **line)
        bars = {"marker_color": COLOURS[CLASSES[label]], "legendgroup": name, "showlegend": False, "name": name}
        figure.add_bar(x=middles, y=counts, row=2, col=1, **bars)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": GREY}, showlegend=False, row=1, col=1)
    figure.update_yaxes(title_text="share that came", range=[0, 1], row=1, col=1).update_yaxes(title_text="rows", row=2, col=1)
    return figure.update_xaxes(range=[0, 1]).update_xaxes(title_text="probability said", row=2, col=1)


def calibration(judged: Judged, label: int, seed: int) -> tuple[np.ndarray, ...]:
    """By bin of the probability of `label`: mean said, share that came, the share's 95 % interval (low, high), rows.

    The interval draws whole sessions, as those of the scores: rows beside each other share their future. NaN where a bin is empty.
    """
    p, happened = judged.output.probabilities[:, label + 1], (judged.part.y == label).astype(float)
    sessions, where = np.unique(judged.part.session, return_inverse=True)
    cell = where * BINS + np.clip((p * BINS).astype(int), 0, BINS - 1)
    rows, hits, sums = (
        np.bincount(cell, weights, len(sessions) * BINS).reshape(-1, BINS) for weights in (np.ones(len(p)), happened, p.astype(float))
    )
    drawn = np.random.default_rng(seed).multinomial(len(sessions), np.full(len(sessions), 1 / len(sessions)), DRAWS)
    with np.errstate(invalid="ignore"):
        shares = (drawn @ hits) / (drawn @ rows)
        said, came = sums.sum(axis=0) / rows.sum(axis=0), hits.sum(axis=0) / rows.sum(axis=0)
    low, high = np.full(BINS, np.nan), np.full(BINS, np.nan)
    for column in np.flatnonzero(rows.any(axis=0)):
        low[column], high[column] = np.nanquantile(shares[:, column], (0.025, 0.975))
    return said, came, np.fmin(low, came), np.fmax(high, came), rows.sum(axis=0).astype(int)


def confusion(judged: Judged, answers: dict[int, str]) -> Any:
    """Rows: what came; columns: the signal. A cell has its count and its share of the row."""
    import plotly.graph_objects as go

    counts = np.zeros((3, 3), int)
    np.add.at(counts, (judged.part.y.astype(int) + 1, judged.output.signal.astype(int) + 1), 1)
    names, used = list(answers.values()), [label + 1 for label in answers]
    counts = counts[np.ix_(used, used)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = [[f"{count:,}<br>{share:.0%}" for count, share in zip(*both, strict=True)] for both in zip(counts, shares, strict=True)]
    colours = {"colorscale": "Blues", "zmin": 0, "zmax": 1, "showscale": False}
    heat = go.Heatmap(z=shares, x=names, y=names, text=text, texttemplate="%{text}", **colours)
    layout = {"xaxis_title": "signal", "yaxis_title": "what came", "yaxis_autorange": "reversed"}
    return go.Figure(heat).update_layout(**layout)


def over_time(judged: Judged, answers: dict[int, str]) -> Any:
    """For each class a strip: its mean probability in each session, and its share."""
    from plotly.subplots import make_subplots

    from barsmith.bars.minutes import as_datetime

    sessions, where = np.unique(judged.part.session, return_inverse=True)
    rows = np.bincount(where)
    ends = np.zeros(len(sessions), np.int64)
    np.maximum.at(ends, where, judged.part.datetime)
    dates = as_datetime(ends).dt.date().to_list()  # of its last bar: a session of futures begins on the evening before
    figure = make_subplots(rows=len(answers), cols=1, shared_xaxes=True, vertical_spacing=0.05)
    for row, (label, name) in enumerate(answers.items(), 1):
        said = np.bincount(where, judged.output.probabilities[:, label + 1], len(sessions)) / rows
        came = np.bincount(where, (judged.part.y == label).astype(float), len(sessions)) / rows
        once = {"showlegend": row == 1, "row": row, "col": 1, "mode": "lines" if len(sessions) > FEW else "lines+markers"}
        figure.add_scatter(x=dates, y=came, name="came", line={"color": GREY, "width": 1, "dash": "dot"}, legendgroup="came", **once)
        figure.add_scatter(x=dates, y=said, name="said", line={"color": COLOURS[CLASSES[label]]}, legendgroup="said", **once)
        figure.update_yaxes(title_text=name, rangemode="tozero", row=row, col=1)
    return figure.update_xaxes(tickformat="%d %b<br>%Y", nticks=6)


def curves(training: Training) -> Any:
    """The loss after each round or epoch."""
    import plotly.graph_objects as go

    step, figure = step_name(training), go.Figure()
    for name, losses in training.told.history.items():
        colour = {"train": GREY, "stop": BLUE}.get(name)
        figure.add_scatter(x=np.arange(1, len(losses) + 1), y=list(losses), name=PARTS.get(name, name), line_color=colour)
    if training.told.best_iteration is not None:
        figure.add_vline(x=training.told.best_iteration + 1, line_dash="dot", annotation_text="kept")
    return figure.update_layout(xaxis_title=step, yaxis_title="log loss")


def step_name(training: Training) -> str:
    return "epoch" if training.model.info.family in ("neural", "foundation") else "round"


def bars_of(importance: dict[str, float], most: int = 25) -> Any:
    import plotly.graph_objects as go

    top = sorted(importance.items(), key=lambda item: -item[1])[:most][::-1]
    bars = go.Bar(x=[value for _, value in top], y=[name for name, _ in top], orientation="h", marker_color=BLUE)
    return go.Figure(bars).update_layout(title=f"The {len(top)} that count most").update_yaxes(automargin=True, dtick=1)


def shuffled(importance: FeatureImportance, most: int = 25) -> Any:
    """The features whose shuffling costs the model most, with intervals."""
    title = "Log loss on validation: worse by, with the feature shuffled"
    return worse_by([asdict(one) for one in importance.permutation[:most]]).update_layout(title=title)
