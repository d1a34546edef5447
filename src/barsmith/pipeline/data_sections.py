"""The tables of a data run's report, each with what a reader must know to read it; the same in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barsmith.datasets.families import FAMILIES, columns_read
from barsmith.labels.making import in_words
from barsmith.pipeline.data_facts import Facts, Section
from barsmith.pipeline.leak_report import leak_rows
from barsmith.pipeline.quality_tables import outlier_rows, quality_rows, roll_row, suspect_rows

FINDINGS = (
    "Looked for in train and validation: features that are answers, not finite, constant, copies of others, or that drifted; labels, label ends, returns "
    "and weights that cannot be; classes that are missing or rare; splits that overlap or are out of order; a scaler or a choice of features that has "
    "seen more than train. With an error the data must not be trained on; a warning is for you to judge."
)
SUSPECTS = (
    "Session opens in an expiry month where the price jumped and volume was thin, as at a change of contract. likely, possible: how well that fits; "
    "hidden: minutes are missing there, so that the jump may be the market's own. Nothing was done about them: where one is a change of contract, "
    "give its time under rolls in config/pipeline.yaml. Times the usual: the gap in multiples of the usual gap between sessions."
)
ROLLS = "At each change of contract features read prices divided by the ratio, labels and fills keep the contract's own prices, and no label reaches across."
WEIGHTS = (
    "How much each labelled train row counts in fitting: 0.5 plus the rank, among these rows, of how straight the price went the label's way. "
    "The columns are the lowest weight, the quartiles and the highest. No score is ever weighted."
)
SETTLED = "A feature has settled where its value no longer depends on where the data begins. Rows before that are warming up and no model learns from them."
DRIFT = (
    "How far the distribution of a kept feature moved from train to validation, as population stability index over ten bins: 0 is no move. Slow features move within "
    "train as well, so that the worst of 16 stretches of train as long as validation stands beside it; far is an index above 0.25 and above one and a half times that."
)
IMPORTANCE = (
    "A ridge regression on the kept features, fitted on train to tell the classes of horizon {horizon} apart, is asked about validation, each feature shuffled in turn. "
    "Shown is by how much its Brier score (squared error of the three classes' forecasts, 0 is perfect) becomes worse, with a 95 % interval from drawing whole sessions. "
    "An interval that reaches below 0 does not show that the feature helps. These are the highest {most} of {kept}, so some of them by luck, "
    "and features that say much the same share their importance."
)
CLUSTERS = (
    "Groups of kept features whose absolute correlations on train are above 0.7 on average (average linkage), largest first, with the numbers of the picture. "
    "A model can hardly tell the members of a group apart; count a group as one opinion."
)
LEAKS = (
    "A leak is a value that uses something later than its moment, or something learned from rows that are meant to judge. "
    "Looked for in this run's tables, with the result; then what this run did not look for, with the command that does."
)


def sections(facts: Facts) -> list[Section]:
    """Those that have something to show, in the order of reading."""
    suspects, outliers = suspect_rows(facts.cleaned), outlier_rows(facts.cleaned)
    far = "The first of the outliers counted above: minutes that reach far from the close before, by a rule that reads earlier bars alone."
    found = [
        Section("Findings", FINDINGS, finding_rows(facts)),
        Section("Price, sessions and splits", splits_say(facts), split_rows(facts)),
        Section("Data quality", "What was read, left out and missing.", quality_rows(facts.quality, facts.cleaned)),
        Section("Warnings of the reader", "What stood out while the file was read; nothing here stops a run.", warning_rows(facts)),
        Section("Changes of contract", ROLLS, [roll_row(roll, facts.quality.get("rolls", [])) for roll in facts.rolls]),
        Section("Suspected changes of contract", SUSPECTS, suspects),
        Section("Outliers", far, outliers),
        Section("Labels before the test split", labels_say(facts), label_rows(facts)),
        Section("Sample weights of train", WEIGHTS + (UNIQUE if facts.asked.uniqueness else ""), weight_rows(facts)),
        *(Section(*part) for part in facts.tuning.tables()),
        Section("What each family of models reads", families_say(facts), family_rows(facts)),
        Section("Rows for a model", rows_say(facts), model_rows(facts)),
        Section(
            "Features by group",
            "Kept: neither constant nor a copy of an earlier one on train. The families are those above.",
            group_rows(facts),
        ),
        Section("Features that settle last", SETTLED, settling_rows(facts)),
        Section("Drift from train to validation", DRIFT, drift_rows(facts)),
        Section("Feature importance", importance_says(facts), importance_rows(facts)),
        Section("Correlation clusters", CLUSTERS, cluster_rows(facts)),
        Section("Features dropped", "Left out for every model, by what the settled train rows say.", dropped_rows(facts)),
        Section("Leak audit", LEAKS, leak_rows(facts)),
    ]
    return [section for section in found if section.rows]


UNIQUE = " Here it is multiplied by the label's average uniqueness: labels that live over the same bars share their weight."


def finding_rows(facts: Facts) -> list[dict[str, Any]]:
    return [{"finding": f["code"], "severity": f["severity"], "what": f["what"]} for f in facts.findings]


def warning_rows(facts: Facts) -> list[dict[str, Any]]:
    return [{"code": w["code"], "count": w["count"], "note": w["note"]} for w in facts.quality.get("warnings", [])]


def splits_say(facts: Facts) -> str:
    return (
        f"Train, validation (val) and test follow each other in time. Between them at least {facts.split['purge_bars']:,} bars before each boundary are left out (purge) and "
        f"{facts.split['embargo_bars']:,} after it (embargo); a row whose label is known only in a later split is purged as well. "
        "Test stays closed: no label of it is counted or drawn here. In the picture each session is one bar from its low to its high, with its open to the left and its close to "
        "the right, in the contract's own prices; where none stands the file has none."
    )


def split_rows(facts: Facts) -> list[dict[str, Any]]:
    opens, rows = facts.bars["datetime"], []
    for name in ("train", "val", "test"):
        first, stop = facts.split[name]
        count = facts.split["counts"][name]
        rows.append(
            {"split": name, "first bar": f"{opens[first]:%Y-%m-%d %H:%M} UTC", "last bar": f"{opens[stop - 1]:%Y-%m-%d %H:%M} UTC", "bars": count,
             "share of all": f"{count / len(opens):.1%}", "purged by label end": facts.split["purged_by_label_end"][name]}
        )  # fmt: skip
    return rows


def labels_say(facts: Facts) -> str:
    horizons = f"{len(facts.barriers)} horizon{'s' if len(facts.barriers) > 1 else ''}"
    return (
        f"What came after each bar, at {horizons}; distances in the unit named, patience in bars of {facts.base}. "
        "Shares are of the labelled bars. Unlabelled: the bars after which too little is known, or a change of contract follows."
        f" The pictures are of horizon {facts.longest}; test is left out."
    )


def label_rows(facts: Facts) -> list[dict[str, Any]]:
    """One row a horizon: count and share of each class, and how it was made."""
    rows = []
    for h, b in facts.barriers.items():
        counts = counted(facts, h)
        known = sum(n for name, n in counts.items() if name not in ("no event", "unlabelled"))
        shares = {name: f"{n:,} ({n / max(known, 1):.0%})" if name not in ("no event", "unlabelled") else n for name, n in counts.items()}
        rows.append(
            {"horizon": h, **shares, "patience": b["max_bars"], "method": in_words(facts.asked, b["k_up"], b["k_down"], facts.unit)}
        )
    return rows


def counted(facts: Facts, horizon: str) -> dict[str, int]:
    """Rows of each class before the test split."""
    open_rows = facts.labels[: facts.open_rows]
    label = open_rows[f"label_h{horizon}"]
    counts = {name: int((label == value).sum()) for value, name in facts.asked.answers.items()}
    idle = {"no event": int((~open_rows["is_event"]).sum())} if "is_event" in open_rows.columns else {}
    return {**counts, **idle, "unlabelled": label.null_count() - sum(idle.values())}


def weight_rows(facts: Facts) -> list[dict[str, Any]]:
    """Quarters of the weights that the labelled train rows have in fitting."""
    rows = []
    for h in facts.barriers:
        known = facts.train[f"sample_weight_h{h}"].drop_nulls()
        quarters = {f"{q:.0%}": known.quantile(q, "linear") for q in (0.0, 0.25, 0.5, 0.75, 1.0)}
        rows.append({"horizon": h, "rows": len(known), **quarters})
    return rows


def families_say(facts: Facts) -> str:
    across = "begin anew with each session" if facts.data_sets["windows"]["within_session"] else "reach back across session breaks"
    return (
        f"How models see the same bars unless a model's file says otherwise. N is the number of rows. Windows hold past bars only, {across} and end at the bar "
        "after whose close the forecast is made."
    )


def family_rows(facts: Facts) -> list[dict[str, Any]]:
    """What a model of each family is handed by default."""
    kept, windows = facts.feature_set["kept"], facts.data_sets["windows"]
    columns = {reads: len(columns_read(reads, kept, facts.catalogue)) for reads in FAMILIES}
    length, rungs = windows["sequence_length"], windows["multires_timeframes"]
    deep = windows["multires_length"]
    return [
        {"family": "tabular", "features": columns["tabular"], "array": f"(N, {columns['tabular']})", "reads": "every kept feature of a bar, as one row"},
        {"family": "sequence", "features": columns["sequence"], "array": f"(N, {length}, {columns['sequence']})",
         "reads": f"the kept features that read no other timeframe than {facts.base}, over the last {length} bars"},
        {"family": "multires", "features": None, "array": f"(N, {len(rungs)}, {deep}, 4)",
         "reads": f"no features: open, high, low and close of the last {deep} finished bars of {', '.join(rungs)}, each divided by the window's last close, less 1"},
    ]  # fmt: skip


def rows_say(facts: Facts) -> str:
    whys = {
        f"{reads}: {part['why_not']}"
        for one in facts.data_sets["horizons"].values()
        for reads, part in one["windows"].items()
        if "why_not" in part
    }
    said = (
        "Bars of each split that a model learns from or is judged on, for each family. Warming up: some feature has not settled there. "
        "Window cut: windows that would begin before the data or hold a bar that is warming up."
    )
    return " ".join([said, *(f"No windows for {why}." for why in sorted(whys))])


def model_rows(facts: Facts) -> list[dict[str, Any]]:
    rows = []
    for h, one in facts.data_sets["horizons"].items():
        for name in ("train", "val"):
            left, windows = one["left_out"][name], one["windows"]
            cut = {f"{reads}, window cut": lost_windows(part["left_out"][name]) for reads, part in windows.items() if "rows" in part}
            rows.append(
                {"horizon": h, "split": name, "tabular": one["rows"][name],
                 **{reads: part["rows"][name] if "rows" in part else None for reads, part in windows.items()},
                 "warming up": left["unsettled"], "without a label": left["unlabelled"], **no_event(left), **cut}
            )  # fmt: skip
    return rows


def lost_windows(left_out: Mapping[str, int]) -> int:
    """Rows that have a label and have settled, but not a whole window."""
    return sum(count for reason, count in left_out.items() if reason.startswith(("window_", "rungs_")))


def no_event(left_out: Mapping[str, int]) -> dict[str, int]:
    """Only where labels were asked for at chosen bars."""
    return {"no event": left_out["no_event"]} if "no_event" in left_out else {}


def group_rows(facts: Facts) -> list[dict[str, Any]]:
    kept = facts.feature_set["kept"]
    read = {reads: set(columns_read(reads, kept, facts.catalogue)) for reads in ("tabular", "sequence")}
    groups: dict[str, dict[str, int]] = {}
    for entry in facts.catalogue:
        row = groups.setdefault(entry["group"], {"features": 0, "kept, for tabular": 0, "kept, for sequence": 0})
        row["features"] += 1
        row["kept, for tabular"] += entry["name"] in read["tabular"]
        row["kept, for sequence"] += entry["name"] in read["sequence"]
    return [{"group": group, **row} for group, row in groups.items()]


def settling_rows(facts: Facts, most: int = 8) -> list[dict[str, Any]]:
    slow = sorted(facts.first_settled.items(), key=lambda item: -item[1])[:most]
    return [{"feature": name, f"settled from bar, of {facts.base}": row} for name, row in slow]


def drift_rows(facts: Facts, most: int = 15) -> list[dict[str, Any]]:
    far = {name for finding in facts.findings if finding["code"] == "features/drift" for name in finding["columns"]}
    return [
        {"feature": one["feature"], "train to val": one["index"], "worst within train": one["within_train"], "far": one["feature"] in far}
        for one in facts.drift[:most]
    ]


def importance_says(facts: Facts) -> str:
    shown = min(20, len(facts.importance))
    return IMPORTANCE.format(horizon=facts.longest, most=shown, kept=len(facts.importance))


def importance_rows(facts: Facts, most: int = 20) -> list[dict[str, Any]]:
    """The features whose shuffling costs a probe most."""
    return [
        {
            "feature": one["feature"],
            "Brier score worse by": f"{one['worse_by']:.4f}",
            "95 % interval": "{:.4f} to {:.4f}".format(*one["interval"]) if one["interval"] else "",
        }
        for one in facts.importance[:most]
    ]


def cluster_rows(facts: Facts) -> list[dict[str, Any]]:
    return [{"group": i, "features": len(group), "names": ", ".join(group)} for i, group in enumerate(facts.clusters, 1)]


def dropped_rows(facts: Facts) -> list[dict[str, Any]]:
    dropped = [{"dropped": name, "because": "constant on train"} for name in facts.feature_set["constant"]]
    return dropped + [{"dropped": name, "because": f"repeats {twin}"} for name, twin in facts.feature_set["correlated"].items()]
