"""What a data run has made, told to a reader: is it ready to be trained on, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barsmith.bars.minutes import moment
from barsmith.config import LabelSettings, Unit
from barsmith.labels.making import in_words
from barsmith.pipeline.data_pictures import drift, label_shares, leaned_on, price, shares_by_hour, weights
from barsmith.pipeline.page import picture, sentence, shown, table
from barsmith.pipeline.tuning_report import Tuning, surface

if TYPE_CHECKING:
    import polars as pl


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
    importance: list[dict[str, Any]]
    clusters: list[list[str]]
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
        ("Suspected changes of contract, about which nothing was done", suspect_rows(facts.cleaned)),
        ("First minutes that reach far from the close before", outlier_rows(facts.cleaned)),
        ("Labels before the test split", labels),
        ("Sample weights of train", weight_rows(facts)),
        *facts.tuning.tables(),
        ("Splits", splits),
        ("Rows for a model", sets),
        ("Features by group", [{"group": g, **row} for g, row in groups.items()]),
        ("Features that settle last", [{"feature": name, "settles at base bar": row} for name, row in slow]),
        ("Features dropped", dropped),
        ("What a small probe leans on", importance_rows(facts)),
        ("Features that say much the same", [{"features": len(group), "names": ", ".join(group)} for group in facts.clusters[:12]]),
        ("Looked at for leaks", leak_rows(facts)),
    ]
    return [(heading, rows) for heading, rows in found if rows]


def weight_rows(facts: Facts) -> list[dict[str, Any]]:
    """Quarters of the weights that the labelled train rows have in fitting."""
    rows = []
    for h in facts.barriers:
        known = facts.train[f"sample_weight_h{h}"].drop_nulls()
        quarters = {f"{q:.0%}": known.quantile(q, "linear") for q in (0.0, 0.25, 0.5, 0.75, 1.0)}
        rows.append({"horizon": h, "rows": len(known), **quarters})
    return rows


def importance_rows(facts: Facts, most: int = 20) -> list[dict[str, Any]]:
    """The features whose shuffling costs a probe most."""
    return [
        {"feature": one["feature"], "Brier score worse by": one["worse_by"], "95 % interval": one["interval"]}
        for one in facts.importance[:most]
    ]


LEAKS = (
    ("a label, return, weight or label end among the features", ("datasets/role", "datasets/answer")),
    (
        "a scaler that has seen other rows than train, or values scaled by another",
        ("scaling/not-train", "scaling/other-rows", "scaling/other-values"),
    ),
    ("columns chosen by other rows than train", ("validation/selection-not-train",)),
    ("a row inside the label span of another split, or out of order", ("splits/overlap", "splits/order")),
)
"""What the checks of a run look for, and the findings that would tell of it."""


def leak_rows(facts: Facts) -> list[dict[str, Any]]:
    found = {finding["code"] for finding in facts.findings}
    rows = [{"leak": what, "result": "FOUND" if found & set(codes) else "not found"} for what, codes in LEAKS]
    rows.append(
        {
            "leak": "labels that the minutes do not give, barriers tuned on other rows",
            "result": f"ask: barsmith validate --symbols {facts.symbol}",
        }
    )
    return [*rows, {"leak": "features that know the future", "result": f"ask: barsmith features audit --symbol {facts.symbol}"}]


def no_event(left_out: Mapping[str, int]) -> dict[str, int]:
    """Only where labels were asked for at chosen bars."""
    return {"no event": left_out["no_event"]} if "no_event" in left_out else {}


def suspect_rows(cleaned: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"time": one["time"], "how sure": one["certainty"], "price gap": one["gap"], "times the usual": one["jump"],
         "volume of the thinner session": one["thin"], "minutes missing": one["hole"], "expiry": one["expiry"]} for one in cleaned.get("suspected_rolls", [])
    ]  # fmt: skip


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
    label = open_rows[f"label_h{horizon}"]
    counts = {name: int((label == value).sum()) for value, name in facts.asked.answers.items()}
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
        "Sample weights of train": [picture(weights(facts), "weights")],
        "Features by group": [picture(drift(facts), "drift", 420)],
    }
    if facts.importance:
        pictures["What a small probe leans on"] = [picture(leaned_on(facts), "importance", 520)]
    if facts.tuning.search:
        pictures["Barriers: the search on train"] = [picture(surface(facts.tuning, facts.longest), "surface", 420)]
    verdict = [sentence(lead(facts), "bad" if facts.errors else "good"), *map(sentence, facts.tuning.lines())]
    return [("Ready?", verdict)] + [(heading, [table(rows), *pictures.get(heading, [])]) for heading, rows in tables(facts)]
