"""`validate` makes the labels again from the minutes: what a stage that lies would have left is found, though every hash is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from barsmith.pipeline.checking import not_checked, other_labels, relabelled
from barsmith.pipeline.run_data import RunData, load_run_data
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.store import Entry
from small_market import SmallMarket


def with_table(workspace: Path, lie: pl.Expr, field: str = "table") -> RunData:
    """The data run as it would be if final_labels had written this column of a table otherwise."""
    data = load_run_data(workspace, "MES")
    entry, store = data.entries["final_labels"], data.store
    value = store.read("final_labels", FinalLabels, entry)
    lied = replace(value, **{field: getattr(value, field).with_columns(lie)})
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


@pytest.mark.parametrize("column", ["mae_h5", "mfe_h20", "pain_to_gain_h20", "quality_h5", "bars_h20"])
def test_quality_that_the_minutes_do_not_give_is_found(column: str, copied: Path) -> None:
    """Planted: rows 1000 to 1009 of training look twice as good as they were."""
    rows = pl.int_range(pl.len()).is_between(1000, 1009)
    lie = pl.when(rows).then(pl.col(column) * 2 + 1).otherwise(pl.col(column)).alias(column)
    (found,) = relabelled(with_table(copied, lie, "quality"))
    assert (found.code, 1 <= found.rows <= 10) == ("labels/other-quality", True)


def test_what_is_taken_as_the_run_left_it_is_told(market: SmallMarket) -> None:
    data = load_run_data(market.workspace, "MES")
    said = list(not_checked(data))
    assert [line.split(" ")[0] for line in said] == ["features,", "labels,", "importance,"]
    assert "features audit --symbol MES" in said[0]
    asked = data.settings.labels.model_copy(update={"uniqueness": True, "primary_signal": "cross.csv"})
    more = list(not_checked(replace(data, settings=data.settings.model_copy(update={"labels": asked, "events": "fomc.csv"}))))
    assert "validation's weights" in more[1]
    assert more[3] == "your file of events and signals was not read again"


def test_the_labels_of_the_test_split_are_not_made_again(copied: Path) -> None:
    data = load_run_data(copied, "MES")
    begins = data.settings.splits.train_pct + data.settings.splits.val_pct + 0.1
    rows = pl.int_range(pl.len())
    assert (
        relabelled(with_table(copied, pl.when(rows > rows.max() * begins).then(None).otherwise(pl.col("label_h5")).alias("label_h5"))) == []
    )


def test_rows_said_to_be_unsettled_for_their_outcome_are_found(copied: Path) -> None:
    """Leak 23, planted in the scaled table itself: losers of validation count as warming up, so that no score sees them."""
    data = load_run_data(copied, "MES")
    entry = data.entries["scaling"]
    scaled = data.store.read("scaling", ScaledFrames, entry)
    lied = scaled.val.with_columns(is_settled=pl.col("is_settled") & (pl.col("label_h20") != -1).fill_null(True))
    files = data.store.write("scaling", replace(scaled, val=lied))
    found = other_labels(replace(data, entries={**data.entries, "scaling": Entry(entry.key, 0.0, None, files)}))
    assert [finding.code for finding in found] == ["datasets/labels"]


def test_a_label_where_the_minutes_give_none_is_found(copied: Path) -> None:
    """Planted: rows before the ATR is known get a label all the same."""
    early = pl.int_range(pl.len()) < 10
    lie = pl.when(early).then(pl.lit(1, pl.Int8)).otherwise(pl.col("label_h20")).alias("label_h20")
    assert [finding.code for finding in relabelled(with_table(copied, lie))] == ["labels/other"]
