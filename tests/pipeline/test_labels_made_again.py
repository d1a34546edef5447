"""`validate` makes the labels again from the minutes: what a stage that lies would have left is found, though every hash is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from barsmith.pipeline.checking import relabelled
from barsmith.pipeline.run_data import RunData, load_run_data
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.store import Entry


def with_table(workspace: Path, lie: pl.Expr) -> RunData:
    """The data run as it would be if final_labels had written this column otherwise."""
    data = load_run_data(workspace, "MES")
    entry, store = data.entries["final_labels"], data.store
    value = store.read("final_labels", FinalLabels, entry)
    lied = replace(value, table=value.table.with_columns(lie))
    return replace(data, entries={**data.entries, "final_labels": Entry(entry.key, 0.0, None, store.write("final_labels", lied))})


def test_honest_labels_come_out_as_they_were(copied: Path) -> None:
    assert relabelled(load_run_data(copied, "MES")) == []


@pytest.mark.parametrize(
    "lie",
    [
        pl.when(pl.col("return_h20") < 0).then(None).otherwise(pl.col("label_h20")).alias("label_h20"),  # the losers left out
        (-pl.col("label_h20")).alias("label_h20"),
        pl.col("label_h20").shift(1),
    ],
)
def test_labels_that_the_minutes_do_not_give_are_found(lie: pl.Expr, copied: Path) -> None:
    found = relabelled(with_table(copied, lie))
    assert [finding.code for finding in found] == ["labels/other"]
    assert found[0].rows > 100


def test_the_labels_of_the_test_split_are_not_made_again(copied: Path) -> None:
    data = load_run_data(copied, "MES")
    begins = data.settings.splits.train_pct + data.settings.splits.val_pct + 0.1
    rows = pl.int_range(pl.len())
    assert (
        relabelled(with_table(copied, pl.when(rows > rows.max() * begins).then(None).otherwise(pl.col("label_h5")).alias("label_h5"))) == []
    )
