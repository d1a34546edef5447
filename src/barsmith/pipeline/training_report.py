"""A training as a page: scores beside baselines, timing apart from direction, calibration, learning curve, importance."""

from __future__ import annotations

from typing import Any

import numpy as np

from barsmith.pipeline.data_pictures import CLASSES
from barsmith.pipeline.page import COLOURS, page, picture, sentence, table
from barsmith.pipeline.training_result import Judged, Training, summary_rows

HOW = {
    "model": "As the model accounts for itself (gain or size of the coefficients).",
    "permutation": "Rise of the validation log loss when one feature is shuffled.",
}


def training_page(training: Training, importance: dict[str, float], how: str) -> str:
    """Self-contained HTML. how: where the importance comes from, `model` or `permutation`."""
    container, val = training.container, training.splits["val"]
    lead = (
        f"{training.data.symbol}, horizon {container.horizon} bars, data run {training.data.run_id}: "
        f"{len(container.train):,} training rows, {len(container.val):,} validation rows; the test split is "
        + ("OPEN" if container.test_is_open else "closed")
        + "."
    )
    verdict = [sentence(training.verdict.sentence, "bad" if training.alarms else "")]
    verdict += [sentence(f"Too good to be true: {alarm.why}; run {' and '.join(alarm.checks)}.", "bad") for alarm in training.alarms]
    apart = "Timing asks whether a barrier is touched before time runs out, direction which of the two. 0.5 is a coin."
    if training.is_meta:
        apart = "auc_paid asks which of the primary signal's trades pay. 0.5 is a coin."
    answers = training.data.settings.labels.answers
    sections = [
        ("Verdict", verdict),
        ("Scores", [table(summary_rows(training)), sentence(apart), picture(skill(val, training.skill_columns), "skill", 260)]),
        (
            "Minus each baseline, 95 % interval",
            [table(differences(val, training.skill_columns)), sentence("Log loss: below zero is better than the baseline.")],
        ),
        ("Calibration", [picture(reliability(val, answers), "reliability")]),
        ("What was said and what came", [picture(confusion(val, answers), "confusion")]),
        ("Probability over time", [picture(over_time(val, answers), "probability")]),
        ("Learning", [picture(curves(training), "learning")] if training.told.history else [sentence("The model has no rounds.")]),
        ("Importance", [sentence(HOW[how]), picture(bars_of(importance), "importance", 520)]),
    ]
    return page(f"{training.model.info.name} on {training.data.symbol}", lead, sections)


def differences(judged: Judged, columns: dict[str, str]) -> list[dict[str, Any]]:
    """columns: {score of skill: what it is called}."""
    titles = {"accuracy": "accuracy", "log_loss": "log_loss"} | columns
    return [
        {"baseline": name.replace("_", " "), **{title: row[key] for key, title in titles.items()}}
        for name, row in judged.better_than.items()
    ]


def skill(judged: Judged, columns: dict[str, str]) -> Any:
    """columns: {score: what it is called}."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for key, title in columns.items():
        label = title.removeprefix("auc_")
        value, interval = judged.metrics[key], judged.intervals[key]
        if value is None:
            continue
        low, high = interval or (value, value)
        error = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
        figure.add_scatter(x=[value], y=[label], error_x=error, mode="markers", marker={"size": 11, "color": "#1d4ed8"}, showlegend=False)
        best = (judged.best_possible or {}).get(key)
        if best is not None:
            mark = {"symbol": "diamond-open", "size": 12, "color": "#16a34a"}
            figure.add_scatter(x=[best], y=[label], mode="markers", marker=mark, name="best possible", showlegend=key == "auc_timing")
    figure.add_vline(x=0.5, line_dash="dot", line_color="#64748b")
    return figure.update_layout(title="Area under the ROC curve on validation, with its 95 % interval", xaxis_range=[0.4, 1.0])


def reliability(judged: Judged, answers: dict[int, str]) -> Any:
    """answers: {label: its name}, as for the pictures below."""
    import plotly.graph_objects as go

    figure = go.Figure()
    edges = np.linspace(0, 1, 11)
    for label, name in answers.items():
        p, happened = judged.output.probabilities[:, label + 1], judged.part.y == label
        which = np.clip(np.digitize(p, edges) - 1, 0, 9)
        counts = np.bincount(which, minlength=10)
        used = counts >= 20
        said, came = (np.bincount(which, v, 10)[used] / counts[used] for v in (p, happened.astype(float)))
        figure.add_scatter(
            x=said,
            y=came,
            mode="lines+markers",
            name=name,
            line_color=COLOURS[CLASSES[label]],
            text=counts[used],
            hovertemplate="%{text} rows",
        )
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#64748b"}, showlegend=False)
    return figure.update_layout(
        title="Said against came true (bins of 20 rows and more)", xaxis_title="probability said", yaxis_title="share that came"
    )


def confusion(judged: Judged, answers: dict[int, str]) -> Any:
    import plotly.graph_objects as go

    counts = np.zeros((3, 3), int)
    np.add.at(counts, (judged.part.y.astype(int) + 1, judged.output.signal.astype(int) + 1), 1)
    names, used = list(answers.values()), [label + 1 for label in answers]
    counts = counts[np.ix_(used, used)]
    heat = go.Heatmap(z=counts, x=names, y=names, text=counts, texttemplate="%{text:,}", colorscale="Blues", showscale=False)
    return go.Figure(heat).update_layout(xaxis_title="signal", yaxis_title="what came", yaxis_autorange="reversed")


def over_time(judged: Judged, answers: dict[int, str]) -> Any:
    """Mean probability and share of each class by session."""
    import plotly.graph_objects as go

    from barsmith.bars.minutes import as_datetime

    sessions, where = np.unique(judged.part.session, return_inverse=True)
    rows = np.bincount(where)
    first = as_datetime(judged.part.decision[np.unique(where, return_index=True)[1]]).dt.date().to_list()
    figure = go.Figure()
    for label, name in answers.items():
        said = np.bincount(where, judged.output.probabilities[:, label + 1], len(sessions)) / rows
        came = np.bincount(where, (judged.part.y == label).astype(float), len(sessions)) / rows
        figure.add_scatter(x=first, y=said, name=f"{name}, said", line_color=COLOURS[CLASSES[label]])
        figure.add_scatter(x=first, y=came, name=f"{name}, came", line={"color": COLOURS[CLASSES[label]], "dash": "dot"})
    return figure.update_layout(title="Mean of each session")


def curves(training: Training) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, losses in training.told.history.items():
        label = {"train": "rows learned from", "stop": "inner slice that decides when to stop"}.get(name, name)
        figure.add_scatter(x=np.arange(1, len(losses) + 1), y=list(losses), name=label)
    if training.told.best_iteration is not None:
        figure.add_vline(x=training.told.best_iteration + 1, line_dash="dot", annotation_text="kept")
    return figure.update_layout(title="Log loss by round", xaxis_title="round")


def bars_of(importance: dict[str, float], most: int = 25) -> Any:
    import plotly.graph_objects as go

    top = sorted(importance.items(), key=lambda item: -item[1])[:most][::-1]
    bars = go.Bar(x=[value for _, value in top], y=[name for name, _ in top], orientation="h", marker_color="#1d4ed8")
    return go.Figure(bars).update_layout(title=f"The {len(top)} features that count most").update_yaxes(automargin=True)
