"""Tuned barriers in a data run: chosen on the training slice alone, used by the labels, purged by, reported beside the given ones."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barsmith.config_reading import load_settings
from barsmith.instruments import instrument
from barsmith.pipeline.api import run
from barsmith.pipeline.checking import check_run
from barsmith.pipeline.run_data import RunData, load_run_data
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.ga_optimize import TunedBarriers, ga_optimize
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.mtf import FeatureTable
from small_market import SmallMarket

TRIALS = 8


@functools.cache
def tuned(workspace: Path) -> RunData:
    run(workspace, symbol="MES", overrides=["labels.tune=true", f"labels.trials={TRIALS}"])
    return load_run_data(workspace, "MES")


@pytest.fixture(scope="module")
def data(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> RunData:
    import shutil

    return tuned(shutil.copytree(market.workspace, tmp_path_factory.mktemp("tuned") / "copied"))


def chosen(data: RunData, **changed: Any) -> TunedBarriers:
    """The stage called once more by hand, with some of its inputs changed."""
    settings, contract = data.settings, instrument("MES", data.settings)
    inputs: dict[str, Any] = {
        "clean": data.value("clean", CleanMinutes),
        "calendar": data.value("calendar", Calendar),
        "mtf": data.value("mtf", FeatureTable),
        "labeling": data.value("labeling", RawLabels),
    }
    return ga_optimize(
        **inputs | changed, instrument=contract, barriers=(contract.k_up, contract.k_down, "atr"), hours=settings.sessions, base="5m", random_seed=settings.random_seed,
        settings=settings.labels,
    )  # fmt: skip


def test_every_trial_is_kept_and_the_best_makes_the_labels(data: RunData) -> None:
    search = data.value("ga_optimize", TunedBarriers)
    assert search.trials.group_by("horizon").len().sort("horizon").rows() == [(5, TRIALS), (20, TRIALS)]
    for h, barriers in search.barriers.items():
        best = search.trials.filter(pl.col("horizon") == int(h)).sort("score", descending=True, maintain_order=True).row(0, named=True)
        assert barriers == {name: best[name] for name in ("k_up", "k_down", "max_bars")}
        assert data.field("final_labels", _final(), "barriers")[h] == barriers
    assert check_run(data)["is_ready"]


def _final() -> type:
    from barsmith.pipeline.stages.final_labels import FinalLabels

    return FinalLabels


def test_the_search_is_repeatable(data: RunData) -> None:
    assert chosen(data).trials.equals(data.value("ga_optimize", TunedBarriers).trials)


def later_changed(data: RunData, first: int) -> dict[str, Any]:
    """Minutes and features as they would be if the market had gone another way from base bar `first` on."""
    clean, table = data.value("clean", CleanMinutes), data.value("mtf", FeatureTable)
    opens = table.features["datetime"].dt.epoch("us").to_numpy() // 60_000_000
    bars, rng = clean.minutes.bars.copy(), np.random.default_rng(1)
    late = clean.minutes.time >= opens[first]
    bars[late, :4] *= np.exp(np.cumsum(rng.normal(0.0, 1e-3, late.sum())))[:, None]
    features = table.features.with_columns(
        pl.when(pl.int_range(pl.len()) >= first).then(pl.col(name) + 1.0).otherwise(pl.col(name)).alias(name) for name in table.names
    )
    return {"clean": replace(clean, minutes=replace(clean.minutes, bars=bars)), "mtf": replace(table, features=features)}


def test_what_comes_after_the_training_slice_changes_no_trial_and_one_bar_of_it_does(data: RunData) -> None:
    train = data.value("calendar", Calendar).drawn().train
    known = data.value("ga_optimize", TunedBarriers).trials
    assert chosen(data, **later_changed(data, train.stop)).trials.equals(known)
    assert not chosen(data, **later_changed(data, train.stop - 20)).trials.equals(known)


def test_a_search_that_looks_past_the_slice_is_seen_by_that_test(data: RunData) -> None:
    """Leak 14, planted: the calendar hands out validation rows as train."""
    calendar = data.value("calendar", Calendar)
    beyond = Calendar({**calendar.split, "train": [calendar.split["train"][0], calendar.split["val"][1]]})
    changed = later_changed(data, calendar.drawn().train.stop)
    assert not chosen(data, calendar=beyond, **changed).trials.equals(chosen(data, calendar=beyond).trials)


def test_given_fixed_and_tuned_stand_side_by_side_out_of_sample(data: RunData) -> None:
    from barsmith.pipeline.stages.validation import Validated

    rows = data.field("validation", Validated, "barriers")
    assert [(row["horizon"], row["barriers"]) for row in rows] == [(h, b) for h in (5, 20) for b in ("given", "fixed 3/3", "tuned")]
    for row in rows:
        assert (row["over_fixed"] is None) == (row["barriers"] == "fixed 3/3")
        assert row["trades"] > 0


def test_too_short_a_slice_is_said_and_the_given_barriers_stay(data: RunData) -> None:
    calendar = data.value("calendar", Calendar)
    few = chosen(data, calendar=Calendar({**calendar.split, "train": [0, 900]}))
    assert "settled training rows are fewer than 1000" in few.why_not
    assert few.barriers == data.value("labeling", RawLabels).barriers
    assert len(few.trials) == 0


def test_tuning_is_on_unless_the_settings_say_no(tmp_path: Path) -> None:
    assert load_settings(tmp_path).settings.labels.tune


def lied(data: RunData, **changed: Any) -> list[str]:
    """What `searched_elsewhere` finds where the stage's record says something else, hashes and all."""
    from barsmith.pipeline.remaking import searched_elsewhere
    from barsmith.pipeline.store import Entry

    entry, value = data.entries["ga_optimize"], data.value("ga_optimize", TunedBarriers)
    files = data.store.write("ga_optimize", replace(value, **changed))
    found = list(searched_elsewhere(replace(data, entries={**data.entries, "ga_optimize": Entry(entry.key, 0.0, None, files)})))
    data.store.write("ga_optimize", value)
    return sorted({finding.code for finding in found})


def test_a_search_that_was_struck_out_or_cut_is_found(data: RunData) -> None:
    """Leak 14, planted: barriers from nowhere; and a middling trial called the best, the better ones left out."""
    honest = data.value("ga_optimize", TunedBarriers)
    assert lied(data) == []
    assert "ga_optimize/unsearched" in lied(data, search={}, trials=honest.trials.head(0))
    assert "ga_optimize/trials" in lied(data, trials=honest.trials.sort("score").head(TRIALS))


def test_the_score_of_any_trial_that_the_training_rows_do_not_give_is_found(data: RunData) -> None:
    """Leak 14, planted: a trial that is not the best is said to be worse than it was, so that the best stands out more."""
    honest = data.value("ga_optimize", TunedBarriers)
    worst = pl.int_range(pl.len()) == honest.trials["score"].arg_min()
    worse = honest.trials.with_columns(score=pl.when(worst).then(pl.col("score") - 0.5).otherwise(pl.col("score")))
    assert lied(data, trials=worse) == ["ga_optimize/score"]
