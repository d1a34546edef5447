"""What a data run has made, told to a reader: is it ready to be trained on, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from barsmith.bars.minutes import moment
from barsmith.config import LabelSettings, Unit
from barsmith.labels.making import in_words
from barsmith.pipeline.page import COLOURS, picture, sentence, shown, table
from barsmith.pipeline.tuning_report import Tuning, surface

if TYPE_CHECKING:
    import polars as pl

CLASSES = {-1: "short", 0: "neutral", 1: "long"}
SPLITS = {"train": "#1d4ed8", "val": "#d97706", "test": "#64748b"}


@dataclass(frozen=True, eq=False)
class Facts:
    """The values of the stages that the report speaks of; see the stages for their contents."""

    symbol: str
    base: str
    quality: Mapping[str, Any]
    cleaned: Mapping[str, Any]
    rolls: list[dict[str, Any]]
    bars: pl.DataFrame
    labels: pl.DataFrame
    asked: LabelSettings
    unit: Unit
    barriers: Mapping[str, Mapping[str, Any]]
    split: Mapping[str, Any]
    features: list[str]
    catalogue: list[dict[str, Any]]
    first_settled: Mapping[str, int]
    feature_set: Mapping[str, Any]
    findings: list[dict[str, Any]]
    data_sets: Mapping[str, Mapping[str, Any]]
    tuning: Tuning
    train: pl.DataFrame
    val: pl.DataFrame

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["severity"] == "error"]

    @property
    def open_rows(self) -> int:
        """Base bars before the test split: of what follows no label is shown, because it stays closed."""
        return int(self.split["test"][0])

    @property
    def longest(self) -> str:
        """The longest horizon, as text."""
        return max(self.barriers, key=int)


def lead(facts: Facts) -> str:
    first, last = facts.bars["datetime"][0], facts.bars["datetime"][-1]
    ready = "NOT ready to be trained on" if facts.errors else "ready to be trained on"
    return f"{facts.symbol}, {len(facts.bars):,} bars of {facts.base} from {first:%Y-%m-%d} to {last:%Y-%m-%d}: {ready}."


def tables(facts: Facts) -> list[tuple[str, list[dict[str, Any]]]]:
    """The report's tables by heading, the same in Markdown and HTML."""
    quality = [{"fact": k.replace("_", " "), "value": shown(v)} for k, v in facts.quality.items() if isinstance(v, int | str) and v != ""]
    quality += [{"fact": k.replace("_", " "), "value": shown(v)} for k, v in facts.cleaned.items() if isinstance(v, int) and k != "rows"]
    warned = [{"code": w["code"], "count": w["count"], "note": w["note"]} for w in facts.quality.get("warnings", [])]
    rolls = [roll_row(roll, facts.quality.get("rolls", [])) for roll in facts.rolls]
    labels = [
        {"horizon": h, **counted(facts, h), "max bars": b["max_bars"], "method": in_words(facts.asked, b["k_up"], b["k_down"], facts.unit)}
        for h, b in facts.barriers.items()
    ]
    splits = [
        {"split": name, "rows": f"[{facts.split[name][0]:,}, {facts.split[name][1]:,})", "count": facts.split["counts"][name],
         "purged by label end": facts.split["purged_by_label_end"][name]} for name in ("train", "val", "test")
    ]  # fmt: skip
    sets = [
        {"horizon": h, "split": name, "rows": one["rows"][name], "warming up": one["left_out"][name]["unsettled"],
         "without a label": one["left_out"][name]["unlabelled"], **no_event(one["left_out"][name])}
        for h, one in facts.data_sets.items() for name in ("train", "val")
    ]  # fmt: skip
    groups: dict[str, dict[str, int]] = {}
    kept = set(facts.feature_set["kept"])
    for entry in facts.catalogue:
        row = groups.setdefault(entry["group"], {"features": 0, "kept": 0})
        row["features"] += 1
        row["kept"] += entry["name"] in kept
    dropped = [{"dropped": name, "because": "constant on train"} for name in facts.feature_set["constant"]]
    dropped += [{"dropped": name, "because": f"repeats {twin}"} for name, twin in facts.feature_set["correlated"].items()]
    slow = sorted(facts.first_settled.items(), key=lambda item: -item[1])[:8]
    findings = [{"finding": f["code"], "severity": f["severity"], "what": f["what"]} for f in facts.findings]
    found = [
        ("Findings", findings),
        ("Data quality", quality),
        ("Warnings of the reader", warned),
        ("Rolls", rolls),
        ("First minutes that reach far from the close before", outlier_rows(facts.cleaned)),
        ("Labels before the test split", labels),
        *facts.tuning.tables(),
        ("Splits", splits),
        ("Rows for a model", sets),
        ("Features by group", [{"group": g, **row} for g, row in groups.items()]),
        ("Features that settle last", [{"feature": name, "settles at base bar": row} for name, row in slow]),
        ("Features dropped", dropped),
    ]
    return [(heading, rows) for heading, rows in found if rows]


def no_event(left_out: Mapping[str, int]) -> dict[str, int]:
    """Only where labels were asked for at chosen bars."""
    return {"no event": left_out["no_event"]} if "no_event" in left_out else {}


def outlier_rows(cleaned: Mapping[str, Any]) -> list[dict[str, Any]]:
    done = "left out" if cleaned.get("outliers_dropped") else "kept and counted"
    return [{"minute": minute, "done": done} for minute in cleaned.get("first_outliers", [])]


def roll_row(roll: Mapping[str, Any], chosen: list[dict[str, Any]]) -> dict[str, Any]:
    """One change of contract: when, from which to which, the gap in price, the ratio, and what was done. chosen: see `Quality.rolls`."""
    both = next((one for one in chosen if one["time"] == roll["time"] and one["common_minute"] is not None), None)
    old, new = (both["old_close"], both["new_close"]) if both else (roll["last_close"], roll["first_open"])
    if both:
        known = f"yes: both closes of {moment(both['common_minute']):%Y-%m-%d %H:%M} UTC, the last minute that both have"
    else:
        known = "yes: given in the file" if roll["known"] else "no: first open over last close, so the market's own move is in it"
    return {
        "time": f"{moment(roll['time']):%Y-%m-%d %H:%M} UTC",
        "from": roll["from"],
        "to": roll["to"],
        "old price": old,
        "new price": new,
        "price gap": round(new - old, 9),
        "ratio": roll["ratio"],
        "ratio known": known,
        "done": "features read prices divided by the ratio; labels and fills keep the contract's own; no label reaches across",
    }


def counted(facts: Facts, horizon: str) -> dict[str, int]:
    """Rows of each class before the test split."""
    open_rows = facts.labels[: facts.open_rows]
    label, names = open_rows[f"label_h{horizon}"], CLASSES if -1 in facts.asked.classes else facts.asked.classes
    counts = {name: int((label == value).sum()) for value, name in names.items()}
    idle = {"no event": int((~open_rows["is_event"]).sum())} if "is_event" in open_rows.columns else {}
    return {**counts, **idle, "unlabelled": label.null_count() - sum(idle.values())}


def markdown(facts: Facts) -> str:
    """The report as text."""
    lines = [f"# Data run of {facts.symbol}", "", lead(facts), "", *(f"- {line}" for line in facts.tuning.lines()), ""]
    for heading, rows in tables(facts):
        names = list(rows[0])
        lines += [f"## {heading}", "", "| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        lines += ["| " + " | ".join(shown(row.get(name)).replace("|", "\\|") for name in names) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def html_sections(facts: Facts) -> list[tuple[str, list[str]]]:
    """Headings with tables and pictures."""
    pictures = {
        "Splits": [picture(price(facts), "price", 380)],
        "Labels before the test split": [picture(label_shares(facts), "shares"), picture(shares_by_hour(facts), "hours")],
        "Features by group": [picture(drift(facts), "drift", 420)],
    }
    if facts.tuning.search:
        pictures["Barriers: the search on train"] = [picture(surface(facts.tuning, facts.longest), "surface", 420)]
    verdict = [sentence(lead(facts), "bad" if facts.errors else "good"), *map(sentence, facts.tuning.lines())]
    return [("Ready?", verdict)] + [(heading, [table(rows), *pictures.get(heading, [])]) for heading, rows in tables(facts)]


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
