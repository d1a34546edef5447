"""What a finished run writes down about itself: its manifests, its report, and what `diff` holds against another run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from barsmith.artifacts import write_bytes
from barsmith.pipeline.run_folder import RunFolder
from barsmith.pipeline.runner import Runner, Step
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.ingest import RawData


def made_of(steps: Sequence[Step]) -> dict[str, Any]:
    """What every stage of a run is made of: {versions, code: SHA-256 by module, stages: {name: key, settings, given, inputs, modules}}.

    A stage's modules are numbers of `code`, in the order of its names.
    """
    code = {name: digest for step in steps for name, digest in step.made_of["code"].items()}
    place = {name: i for i, name in enumerate(sorted(code))}
    stages = {
        step.stage.name: {
            "key": step.key,
            **{part: step.made_of[part] for part in ("settings", "given", "inputs")},
            "modules": [place[name] for name in step.made_of["code"]],
        }
        for step in steps
    }
    return {"versions": dict(steps[0].made_of["versions"]), "code": code, "stages": stages}


def write_results(workspace: Path, folder: RunFolder, runner: Runner, steps: Sequence[Step]) -> None:
    """The run's manifests and its report in results/."""
    from barsmith.pipeline.page import page

    entries = runner.store.entries()
    keys = {step.stage.name: step.key for step in steps}
    stages = {name: {"key": keys[name], "rows": entries[name].rows, "files": dict(entries[name].files)} for name in keys}
    folder.write_manifest("feature_set_manifest.json", runner.value("validation").feature_set)
    tuned = runner.value("ga_optimize")
    about_search = {"barriers": tuned.barriers, "why_not": tuned.why_not, "search": tuned.search, "trials": tuned.trials.to_dicts()}
    folder.write_manifest("tuning_manifest.json", about_search)
    folder.write_manifest("dataset_manifest.json", runner.value("datasets").manifest)
    report = runner.value("reporting")
    html = page(f"Data run {folder.run_id}", report.lead, [(heading, parts) for heading, parts in report.sections])
    results = workspace / "results"
    written = {
        f"results/{folder.run_id}.md": write_bytes(results / f"{folder.run_id}.md", report.markdown.encode()).as_dict(),
        f"results/{folder.run_id}.html": write_bytes(results / f"{folder.run_id}.html", html.encode()).as_dict(),
    }
    about = {"run_id": folder.run_id, "symbol": runner.state.symbol, "keys": keys, "stages": stages, "results": written}
    folder.write_manifest("manifest.json", {**about, "facts": facts(runner)})


def facts(runner: Runner) -> dict[str, Any]:
    """What later runs write over: source, the raw file's quality record; shares of labels and of rows without one; findings; is_ready."""
    entries = runner.store.entries()
    table = runner.store.read_field("final_labels", FinalLabels, "table", entries["final_labels"])
    splits, validated = runner.value("splits"), runner.value("validation")
    parts = {name: table[pl.Series(splits.of(name))] for name in ("train", "val")}
    quality = runner.store.read_field("ingest", RawData, "quality", entries["ingest"])
    return {
        "source": quality,
        "splits": {name: len(splits.of(name)) for name in ("train", "val", "test")},
        "label_shares": {name: label_shares(part) for name, part in parts.items()},
        "idle_shares": {name: idle_shares(part) for name, part in parts.items()},
        "barriers": runner.value("ga_optimize").barriers,
        "findings": validated.findings,
        "is_ready": validated.is_ready,
    }


def label_shares(table: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Share of each label among the rows that have one, by horizon: {"20": {"-1": 0.4, "0": 0.1, "1": 0.5}}; of no rows nothing."""
    found: dict[str, dict[str, float]] = {}
    for column in label_columns_of(table):
        label = table[column].drop_nulls()
        found[column.removeprefix("label_h")] = {
            str(value): int((label == value).sum()) / len(label) for value in sorted(label.unique().to_list())
        }
    return found


def idle_shares(table: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Share of the rows without a label among all rows, by horizon and by why: {"20": {"no event": 0.6, "unlabelled": 0.02}}; of no rows nothing.

    A row is `no event` where it was not asked for a label, `unlabelled` where it was and its future is missing.
    """
    idle = int((~table["is_event"]).sum()) if "is_event" in table.columns else 0
    found: dict[str, dict[str, float]] = {}
    for column in label_columns_of(table):
        counts = {"no event": idle, "unlabelled": table[column].null_count() - idle}
        found[column.removeprefix("label_h")] = {why: count / len(table) for why, count in counts.items() if count}
    return found


def label_columns_of(table: pl.DataFrame) -> list[str]:
    """`label_h{H}` of each horizon, none where there are no rows."""
    return [name for name in table.columns if name.startswith("label_h")] if len(table) else []
