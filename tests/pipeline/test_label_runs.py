"""Data runs with every kind of label: what is computed again, what stands in the tables, what is checked and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barsmith.errors import BarsmithError, DataError
from barsmith.labels.outcomes import Barriers
from barsmith.labels.uniqueness import average_uniqueness
from barsmith.pipeline.api import run, train, validate
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.stages import STAGE_NAMES
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.final_labels import FinalLabels, weighed
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.sessions import SessionBars
from barsmith.pipeline.stages.splits import splits

FROM_LABELING = STAGE_NAMES[STAGE_NAMES.index("labeling") :]


def with_signals(workspace: Path, every: int = 9) -> str:
    """A primary signal at every ninth bar, up and down in turn."""
    bars = pl.read_parquet(workspace / "data/processed/MES/5m.parquet")
    rows = np.arange(0, len(bars), every)
    side = np.where(np.arange(len(rows)) % 2, 1, -1)
    pl.DataFrame({"datetime": bars["datetime"][rows.tolist()], "signal": side}).write_csv(workspace / "cross.csv")
    return "labels.primary_signal=cross.csv"


@pytest.mark.parametrize(
    "overrides",
    [
        ("labels.session=close",),
        ("labels.unit=ticks", "labels.k_up=12", "labels.k_down=10", "labels.max_bars=8"),
        ("labels.method=fixed_horizon",),
        ("labels.method=trend_scanning", "labels.trend_min_t=3"),
        ("labels.events=cusum", "labels.cusum_threshold=1.5", "labels.uniqueness=true"),
    ],
)
def test_a_label_setting_is_felt_from_labeling_on_and_every_check_holds(copied: Path, overrides: tuple[str, ...]) -> None:
    before = pl.read_parquet(copied / "data/stages/MES/final_labels/table.parquet")
    record = run(copied, symbol="MES", overrides=overrides)
    assert tuple(stage["name"] for stage in record["stages"] if stage["status"] == "done") == FROM_LABELING
    assert [finding for finding in record["findings"] if finding["severity"] == "error"] == []
    assert [finding for finding in validate(copied)["findings"] if finding["severity"] == "error"] == []
    after = pl.read_parquet(copied / "data/stages/MES/final_labels/table.parquet")
    assert not after["label_h20"].equals(before["label_h20"])
    assert "labels" in (copied / "results" / f"{record['run_id']}.md").read_text().lower()


def test_bars_that_are_no_event_stay_in_the_file_and_are_left_out_with_the_reason(copied: Path) -> None:
    record = run(copied, symbol="MES", overrides=["labels.events=cusum", "labels.cusum_threshold=1.5"])
    data = load_run_data(copied, "MES")
    rows = pl.read_parquet(copied / "data/splits/scaled/MES/train_scaled.parquet")
    assert len(rows) == record["splits"]["train"]
    container = data.container(20)
    settled = rows.filter("is_settled")
    assert container.left_out["train"] == {
        "unsettled": len(rows) - len(settled),
        "no_event": len(settled.filter(~pl.col("is_event"))),
        "unlabelled": len(settled.filter(pl.col("is_event") & pl.col("label_h20").is_null())),
    }
    assert container.left_out["train"]["no_event"] > len(container.train) > 20
    assert rows.filter(~pl.col("is_event"))["label_h20"].null_count() == len(rows.filter(~pl.col("is_event")))
    report = (copied / "results" / f"{record['run_id']}.md").read_text()
    assert f"{container.left_out['train']['no_event']:,}" in report
    assert "CUSUM" in report


def test_a_model_learns_whether_a_primary_signal_pays(copied: Path) -> None:
    record = run(copied, symbol="MES", overrides=[with_signals(copied), "label_horizons=[5]"])
    assert record["is_ready"]
    assert [finding["code"] for finding in validate(copied)["findings"] if finding["severity"] == "error"] == []
    told = train(copied, model="logistic", horizon=5, overrides=["training.max_iter=200"])
    part = told.container.train
    assert set(np.unique(part.y)) == {0, 1}
    assert ((part.y == 1) <= (part.log_return > 0)).all(), "what paid has gained, whichever its side"
    assert {"unpaid", "paid"} <= set((copied / "results" / f"{record['run_id']}.md").read_text().replace("|", " ").split())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "signals/not-found"),
        ("datetime,signal\n2025-03-03T15:02Z,1\n", "signals/no-bar"),
        ("datetime,signal\n2025-03-03T15:00Z,3\n", "signals/value"),
        ("datetime,signal\n2015-03-03T15:00Z,1\n", "signals/no-bar"),
    ],
)
def test_a_signals_file_that_is_none_stops_the_run_and_says_why(copied: Path, content: str | None, code: str) -> None:
    if content is not None:
        (copied / "cross.csv").write_text(content)
    with pytest.raises(BarsmithError) as caught:
        run(copied, symbol="MES", overrides=["labels.primary_signal=cross.csv"])
    assert caught.value.code == code


def test_a_changed_signals_file_is_read_again(copied: Path) -> None:
    setting = with_signals(copied)
    first = run(copied, symbol="MES", overrides=[setting])
    again = run(copied, symbol="MES", overrides=[setting])
    assert {stage["status"] for stage in again["stages"]} == {"cached"}
    with_signals(copied, every=11)
    changed = run(copied, symbol="MES", overrides=[setting])
    assert tuple(stage["name"] for stage in changed["stages"] if stage["status"] == "done") == FROM_LABELING
    assert first["is_ready"]
    assert changed["is_ready"]


def test_bars_without_any_event_are_an_error_that_names_the_threshold(copied: Path) -> None:
    with pytest.raises(DataError, match="labels.cusum_threshold") as caught:
        run(copied, symbol="MES", overrides=["labels.events=cusum", "labels.cusum_unit=fraction", "labels.cusum_threshold=0.9"])
    assert caught.value.code == "labels/no-future"


def test_the_quality_table_says_what_a_weight_is_made_of(market) -> None:
    folder = market.workspace / "data/stages/MES/final_labels"
    table, quality = pl.read_parquet(folder / "table.parquet"), pl.read_parquet(folder / "quality.parquet")
    assert quality.columns == ["datetime", *(f"{n}_h{h}" for h in (5, 20) for n in ("mae", "mfe", "pain_to_gain", "quality", "bars"))]
    known = table["label_h20"].is_not_null()
    assert quality["quality_h20"].is_not_null().equals(known.alias("quality_h20"))
    assert np.allclose(quality["quality_h20"].drop_nulls(), 1 / (1 + quality["pain_to_gain_h20"].drop_nulls()))
    train = slice(0, json.loads((market.workspace / "data/splits/scaled/MES/split_config.json").read_bytes())["value"]["train"][1])
    both = pl.DataFrame({"w": table["sample_weight_h20"], "q": quality["quality_h20"]})[train].drop_nulls()
    assert np.allclose(both["w"], 0.5 + (both["q"].rank("average") - 0.5) / len(both))


def test_final_labels_of_other_barriers_are_weighed_by_the_same_function(market) -> None:
    """What a tuning stage needs: labels again, with distances and patience of their own for each horizon."""
    from barsmith.config import LabelSettings, SessionSettings
    from barsmith.instruments import instrument
    from barsmith.labels.primary_signal import PrimarySignal
    from barsmith.pipeline.stages.labeling import labelled

    data = load_run_data(market.workspace, "MES")
    tuned = {5: Barriers(1.0, 2.0, 7), 20: Barriers(3.0, 3.0, 20)}
    clean = data.value("clean", CleanMinutes)
    _, labels = labelled(clean, instrument("MES"), SessionSettings(), "5m", LabelSettings(), PrimarySignal.none(), tuned, "atr")
    raw = data.value("labeling", RawLabels)
    datetime = data.field("final_labels", FinalLabels, "table")["datetime"]
    train = np.arange(2000)
    final = weighed(datetime, labels, raw.is_event, train, LabelSettings(uniqueness=True))
    assert final.barriers == {"5": {"k_up": 1.0, "k_down": 2.0, "max_bars": 7}, "20": {"k_up": 3.0, "k_down": 3.0, "max_bars": 20}}
    plain = weighed(datetime, labels, raw.is_event, train, LabelSettings())
    ratio = (final.table["sample_weight_h20"] / plain.table["sample_weight_h20"]).to_numpy()[train]
    bars = final.quality["bars_h20"].to_numpy()[train]
    known = ~np.isnan(ratio)
    first = np.arange(1, 2001)[known]
    expected = average_uniqueness(first, (first + bars[known] - 1).astype(np.int64))
    assert ratio[known] == pytest.approx(expected / expected.mean())


def test_the_splits_purge_by_the_final_labels_ends(market) -> None:
    data = load_run_data(market.workspace, "MES")
    sessions, final = data.value("sessions", SessionBars), data.value("final_labels", FinalLabels)
    drawn = data.value("calendar", Calendar)
    val_begins = sessions.bars["decision"][drawn.split["val"][0]]
    assert splits(sessions, final, drawn, data.settings.splits).split["purged_by_label_end"]["train"] == 0
    is_late = pl.int_range(pl.len()).is_in([1000, 1500])
    late = final.table.with_columns(label_end_h5=pl.when(is_late).then(val_begins).otherwise("label_end_h5"))
    again = splits(sessions, replace(final, table=late), drawn, data.settings.splits)
    assert again.split["purged_by_label_end"]["train"] == 2
    assert set(splits(sessions, final, drawn, data.settings.splits).of("train")) - set(again.of("train")) == {1000, 1500}
