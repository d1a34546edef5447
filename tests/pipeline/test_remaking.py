"""`validate` makes again what can be made again: bars, rolls, calendar, splits, weights and the search for barriers, each with a planted lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rewriting import SCALED, rewrite_json, rewrite_table
from test_tuned_runs import chosen, tuned

from barsmith.artifacts import read_parquet
from barsmith.bars.minutes import Minutes
from barsmith.pipeline.api import run, validate
from barsmith.pipeline.run_data import RunData
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.ga_optimize import TunedBarriers
from barsmith.validation.bar_checks import factors_of_later_rolls
from small_market import SmallMarket

MINUTES = "data/processed/MES/1m.parquet"


def codes(workspace: Path) -> dict[str, int]:
    """Code -> rows of each error."""
    return {one["code"]: one["rows"] for one in validate(workspace, symbol="MES")["findings"] if one["severity"] == "error"}


@pytest.fixture(scope="module")
def rolled_once(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The market with a roll in its middle: from there on the file shows another contract, 2 % dearer, and says so."""
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("rolled") / "copied")
    raw = workspace / "data/raw/MES_1m.parquet"
    frame, _ = read_parquet(raw)
    at = 9000
    later = pl.int_range(pl.len()) >= at
    prices = [
        pl.when(later).then((pl.col(c) * 1.02 * 4).round() / 4).otherwise(pl.col(c)).alias(c) for c in ("open", "high", "low", "close")
    ]
    frame = frame.with_columns(*prices, roll_ratio=pl.when(pl.int_range(pl.len()) == at).then(1.02))
    frame.with_columns(contract=pl.when(later).then(pl.lit("MESM5")).otherwise(pl.lit("MESH5"))).write_parquet(raw)
    run(workspace, symbol="MES")
    return workspace


@pytest.fixture
def rolled(rolled_once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(rolled_once, tmp_path / "rolled")


def test_an_honest_run_over_a_roll_is_made_again_as_it_was(rolled: Path) -> None:
    factor = pl.read_parquet(rolled / MINUTES)["roll_factor"]
    assert sorted(set(factor)) == [1.0, 1.02]
    assert codes(rolled) == {}


@pytest.mark.parametrize(
    "lie",
    [
        pl.col("roll_factor") / pl.col("roll_factor").last(),  # adjusted backward: the newest contract keeps its prices
        pl.when(pl.col("roll_factor") > 1).then(1.03).otherwise(1.0),  # another ratio than was known at the roll
    ],
    ids=["back-adjusted", "another ratio"],
)
def test_leak_12_an_adjustment_by_what_is_known_later(lie: pl.Expr, rolled: Path) -> None:
    rewrite_table(rolled, MINUTES, lambda frame: frame.with_columns(roll_factor=lie))
    found = codes(rolled)
    assert found["ingest/roll-factor"] > 7000
    assert "clean/other" in found


def test_leak_12_by_hand() -> None:
    """Three contracts: factors 1, then 1.1, then 1.1 x 0.5, where the second ratio is guessed from 20 -> 10."""
    time, bars = np.arange(6), np.full((6, 5), 20.0)
    bars[4:] = 10.0
    contract = np.array([0, 0, 1, 1, 2, 2], np.int32)
    right = np.array([1.0, 1.0, 1.1, 1.1, 0.55, 0.55])
    check = lambda factor: list(factors_of_later_rolls(Minutes(time, bars, contract, factor), {2: 1.1}))  # noqa: E731
    assert check(right) == []
    (backward,) = check(right / 0.55)
    assert (backward.code, backward.rows) == ("ingest/roll-factor", 6)
    (late,) = check(np.array([1.0, 1.0, 1.0, 1.1, 0.55, 0.55]))  # a minute late
    assert late.rows == 1
    (early,) = check(np.array([1.0, 0.55, 1.1, 1.1, 0.55, 0.55]))
    assert (early.rows, "1970-01-01 00:01" in early.what) == (1, True)


def test_minutes_and_bars_that_were_changed_are_told(copied: Path) -> None:
    rewrite_table(copied, "data/processed/MES/5m.parquet", lambda frame: frame.with_columns(close=pl.col("close") + 0.25))
    assert codes(copied) == {"sessions/other": 3312}
    bars = "data/stages/MES/ingest/bars.parquet"
    rewrite_table(
        copied, bars, lambda frame: frame.with_columns(volume=pl.when(pl.int_range(pl.len()) == 7).then(1e6).otherwise(pl.col("volume")))
    )
    assert codes(copied)["ingest/other"] == 1


def test_without_the_raw_file_that_is_said_and_the_rest_is_checked(copied: Path) -> None:
    raw = copied / "data/raw/MES_1m.parquet"
    frame = pl.read_parquet(raw)
    frame.head(100).write_parquet(raw)
    told = validate(copied, symbol="MES")
    assert (told["is_ready"], "ingest/other-raw" in [one["code"] for one in told["findings"]]) == (True, True)
    raw.unlink()
    told = validate(copied, symbol="MES")
    assert (told["is_ready"], "ingest/no-raw" in [one["code"] for one in told["findings"]]) == (True, True)


def test_leak_17_an_embargo_that_was_cut_short(copied: Path) -> None:
    rewrite_json(copied, "data/stages/MES/calendar/split.json", lambda split: {**split, "val": [split["val"][0] - 90, split["val"][1]]})
    assert "calendar/other" in codes(copied)


def test_leak_17_rows_that_should_have_been_purged(copied: Path) -> None:
    rewrite_json(
        copied, f"{SCALED}/split_config.json", lambda split: {**split, "kept": {**split["kept"], "train": [[0, split["train"][1] + 30]]}}
    )
    assert "splits/other" in codes(copied)


@pytest.mark.parametrize("name", ["val", "test"])
def test_leak_16_each_split_scaled_by_its_own_numbers(name: str, copied: Path) -> None:
    own = pl.col("rsi_14") - pl.col("rsi_14").median()
    rewrite_table(copied, f"{SCALED}/{name}_scaled.parquet", lambda frame: frame.with_columns(rsi_14=own))
    assert set(codes(copied)) == {"scaling/other-values"}


@pytest.mark.parametrize("lie", ["weights ranked over all rows", "returns of the next bar", "ends a bar early"])
def test_leak_23_outcomes_and_weights_that_are_not_of_their_row(lie: str, copied: Path) -> None:
    file = "data/stages/MES/final_labels/table.parquet"
    score = pl.read_parquet(copied / "data/stages/MES/final_labels/quality.parquet")["quality_h20"]
    column, values, code = {
        "weights ranked over all rows": ("sample_weight_h20", 0.5 + (score.rank("average") - 0.5) / score.len(), "labels/other-weight"),
        "returns of the next bar": ("return_h20", pl.col("return_h20").shift(-1), "labels/other-return"),
        "ends a bar early": ("label_end_h20", pl.col("label_end_h20") - pl.duration(minutes=5), "labels/other-end"),
    }[lie]
    rewrite_table(
        copied, file, lambda frame: frame.with_columns(pl.Series(column, values) if isinstance(values, pl.Series) else values.alias(column))
    )
    found = codes(copied)
    assert found[code] > 1000


@pytest.fixture(scope="module")
def searched_once(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return tuned(shutil.copytree(market.workspace, tmp_path_factory.mktemp("searched") / "copied"))


def replaced(data: RunData, value: TunedBarriers, folder: Path) -> Path:
    """The workspace as a search that found this would have left it, hashes and all."""
    workspace = shutil.copytree(data.workspace, folder / "copied")
    stage = "data/stages/MES/ga_optimize"
    for field in ("barriers", "search"):
        rewrite_json(workspace, f"{stage}/{field}.json", lambda _, field=field: getattr(value, field))
    rewrite_table(workspace, f"{stage}/trials.parquet", lambda _: value.trials)
    return workspace


def test_an_honest_search_has_the_scores_that_it_recorded(searched_once: RunData) -> None:
    assert codes(searched_once.workspace) == {}


def test_leak_14_barriers_searched_on_train_and_validation(searched_once: RunData, tmp_path: Path) -> None:
    calendar = searched_once.value("calendar", Calendar)
    beyond = Calendar({**calendar.split, "train": [0, calendar.split["val"][1]]})
    assert "ga_optimize/score" in codes(replaced(searched_once, chosen(searched_once, calendar=beyond), tmp_path))


def test_leak_14_a_score_that_was_polished(searched_once: RunData, tmp_path: Path) -> None:
    honest = searched_once.value("ga_optimize", TunedBarriers)
    search = {h: {**one, "best": {**one["best"], "score": one["best"]["score"] + 0.05}} for h, one in honest.search.items()}
    found = codes(replaced(searched_once, TunedBarriers(honest.barriers, "", honest.trials, search), tmp_path))
    assert set(found) == {"ga_optimize/score"}


def test_leak_14_barriers_that_are_not_the_best_or_that_no_label_was_made_with(searched_once: RunData, tmp_path: Path) -> None:
    honest = searched_once.value("ga_optimize", TunedBarriers)
    others = {h: {**one, "k_up": one["k_up"] + 0.1} for h, one in honest.barriers.items()}
    found = codes(replaced(searched_once, TunedBarriers(others, "", honest.trials, honest.search), tmp_path))
    assert {"ga_optimize/unused", "ga_optimize/not-best"} <= set(found)


def test_the_ratio_of_a_minute_that_was_left_out_counts_for_the_next_one() -> None:
    time, bars = np.array([0, 1, 5, 6]), np.full((4, 5), 20.0)
    minutes = Minutes(time, bars, np.array([0, 0, 1, 1], np.int32), np.array([1.0, 1.0, 1.1, 1.1]))
    assert list(factors_of_later_rolls(minutes, {3: 1.1})) == []
    assert [one.rows for one in factors_of_later_rolls(minutes, {1: 1.1})] == [2]  # that minute stayed, and is no roll
