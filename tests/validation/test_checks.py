"""Each check of a data run, and the planted fault that it must find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from run_tables import FEATURES, honest_run, scaled, table

from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes, as_datetime
from barsmith.config import LabelSettings
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import uncorrelated
from barsmith.labels.outcomes import Labels
from barsmith.validation.checks import Finding, examine, settled_matrix
from barsmith.validation.feature_checks import stability_index
from barsmith.validation.label_checks import dropped_by_outcome, reads_past_its_end


def errors_of(run: dict[str, Any]) -> list[Finding]:
    return [finding for finding in examine(**run) if finding.severity == "error"]


def the_error_of(run: dict[str, Any], code: str) -> Finding:
    errors = errors_of(run)
    assert code in [finding.code for finding in errors]
    return next(finding for finding in errors if finding.code == code)


def test_an_honest_run_has_no_error_and_lists_what_was_dropped():
    findings = examine(**honest_run())
    assert [(finding.code, finding.columns, finding.severity) for finding in findings] == [
        ("features/constant", ("flat",), "warning"),
        ("features/correlated", ("momentum_again",), "warning"),
    ]
    assert findings[0].as_dict()["columns"] == ["flat"]
    assert findings[0].what == "flat never changes in train: dropped"


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), None])
@pytest.mark.parametrize("part", ["train", "val"])
def test_a_value_that_is_not_finite_in_a_settled_row_is_found(part, spoilt):
    run = honest_run()
    run[part] = run[part].with_columns(spread=pl.when(pl.int_range(pl.len()) == 9).then(spoilt).otherwise("spread"))
    finding = the_error_of(run, "features/not-finite")
    assert (finding.rows, finding.columns) == (1, ("spread",))
    assert part in finding.what


def test_a_missing_value_while_warming_up_is_none():
    run = honest_run()
    for part in ("train", "unscaled_train"):
        run[part] = run[part].with_columns(spread=pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise("spread"))
    assert errors_of(run) == []


@pytest.mark.parametrize("answer", ["label_h20", "return_h20", "sample_weight_h20", "label_end_h20"])
def test_an_answer_among_the_features_is_found_by_its_name(answer):
    """Planted leak 13."""
    run = honest_run()
    scaler = run["scaler"]
    run["features"] = (*FEATURES, answer)
    run["scaler"] = replace(scaler)
    assert the_error_of(run, "datasets/role").columns == (answer,)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (pl.col("label_h20").cast(pl.Float64), "label_h20"),
        (-pl.col("return_h20"), "return_h20"),
        ((1000 * pl.col("return_h20")).tanh(), "return_h20"),
        (pl.col("sample_weight_h20").log(), "sample_weight_h20"),
        ((pl.col("label_end_h20") - pl.col("decision")).dt.total_minutes().cast(pl.Float64), "label_end_h20 - decision"),
        ((pl.col("label_h20") == 0).cast(pl.Float64), "label_h20 = 0"),
    ],
)
def test_an_answer_under_another_name_is_found_by_its_values(answer, told):
    """Planted leak 13, disguised: scaled, clipped, through a logarithm or a tanh."""
    run = honest_run()
    leaky = run["unscaled_train"].with_columns(clock=answer.fill_null(0.0))
    run["scaler"] = RobustScaler.fit(settled_matrix(leaky, FEATURES), FEATURES)
    run["train"], run["unscaled_train"] = scaled(leaky, run["scaler"]), leaky
    finding = the_error_of(run, "datasets/answer")
    assert finding.columns == ("clock",)
    assert f"what {told} says (" in finding.what


def test_a_scaler_fitted_on_all_rows_is_found():
    """Planted leak 16."""
    run = honest_run()
    everything = pl.concat([run["unscaled_train"], table(20_000, 600, 2)])
    run["scaler"] = RobustScaler.fit(settled_matrix(everything, FEATURES), FEATURES)
    run["train"] = scaled(run["unscaled_train"], run["scaler"])
    finding = the_error_of(run, "scaling/not-train")
    assert set(finding.columns) >= {"momentum", "spread", "clock"}
    assert "scaling/other-values" not in [finding.code for finding in errors_of(run)]


def test_a_scaler_fitted_on_one_row_too_many_is_found():
    run = honest_run()
    run["scaler"] = RobustScaler.fit(run["unscaled_train"][1:].select(FEATURES).to_numpy(), FEATURES)
    run["train"] = scaled(run["unscaled_train"], run["scaler"])
    assert "spread" in the_error_of(run, "scaling/not-train").columns


def test_a_table_scaled_by_another_scaler_is_found():
    run = honest_run()
    run["train"] = scaled(run["unscaled_train"], replace(run["scaler"], median=run["scaler"].median + np.array([0, 1e-9, 0, 0, 0])))
    finding = the_error_of(run, "scaling/other-values")
    assert finding.columns == ("spread",)
    run["train"] = run["train"][1:]
    assert the_error_of(run, "scaling/other-rows").rows == 1


def test_a_correlation_filter_decided_on_all_rows_is_found():
    """Planted leak 15: `clock` copies `spread`, but only in the rows after train."""
    run = honest_run()
    later = run["val"].with_columns(spread=pl.col("spread") * 50, clock=pl.col("spread") * 50)
    run["kept"] = uncorrelated(settled_matrix(pl.concat([run["train"], later]), FEATURES), FEATURES).kept
    assert "clock" not in run["kept"]
    assert the_error_of(run, "validation/selection-not-train").columns == ("clock",)


def test_purging_by_a_count_shorter_than_the_labels_span_is_found():
    """Planted leak 17: train ends 3 rows before val, but its last labels are open for up to 10 minutes more."""
    run = honest_run()
    run["val"] = scaled(table(5 * (1998 + 3), 600, 2), run["scaler"])
    assert errors_of(run) == []
    run["val"] = scaled(table(5 * 1998, 600, 2), run["scaler"])
    run["train"], run["unscaled_train"] = run["train"][:1998], run["unscaled_train"][:1998]
    late = run["train"].filter(pl.col("label_end_h20") >= run["val"]["decision"][0])
    run["scaler"] = RobustScaler.fit(settled_matrix(run["unscaled_train"], FEATURES), FEATURES)
    finding = the_error_of(run, "splits/overlap")
    assert finding.rows == len(late) > 0


def test_a_val_label_that_lives_into_the_test_split_is_found():
    run = honest_run()
    run["val"] = run["val"].with_columns(label_end_h20=as_datetime(np.full(600, 30_005)))
    assert the_error_of(run, "splits/overlap").rows == 600, "a shared moment counts: test decides first at 30,005"


def test_shuffled_rows_are_found():
    """Planted leak 18."""
    run = honest_run()
    both = pl.concat([run["train"], run["val"]]).sample(fraction=1.0, shuffle=True, seed=1)
    run["train"], run["val"] = both[:2000].sort("datetime"), both[2000:].sort("datetime")
    assert the_error_of(run, "splits/order").rows > 0


def test_a_repeated_row_is_found():
    run = honest_run()
    run["val"] = pl.concat([run["val"][:10], run["val"][9:]])
    assert the_error_of(run, "splits/order").rows == 1


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("labels/value", {"label_h20": pl.lit(2, pl.Int8)}),
        ("labels/end", {"label_end_h20": pl.col("decision")}),
        ("labels/weight", {"sample_weight_h20": pl.lit(0.4)}),
        ("labels/return", {"return_h20": pl.lit(float("nan"))}),
        ("labels/partial", {"return_h20": pl.lit(None, pl.Float64)}),
    ],
)
def test_an_impossible_label_is_found(code, change):
    run = honest_run()
    here = pl.int_range(pl.len()) == 5
    run["val"] = run["val"].with_columns(**{name: pl.when(here).then(value).otherwise(name) for name, value in change.items()})
    assert the_error_of(run, code).rows == 1


def test_a_class_that_is_missing_in_train_is_an_error_and_in_val_a_warning():
    run = honest_run()
    run["val"] = run["val"].with_columns(label_h20=pl.when(pl.col("label_h20") == 0).then(1).otherwise("label_h20").cast(pl.Int8))
    assert ("labels/class-missing", "warning") in [(finding.code, finding.severity) for finding in examine(**run)]
    run["train"] = run["train"].with_columns(label_h20=pl.when(pl.col("label_h20") == -1).then(1).otherwise("label_h20").cast(pl.Int8))
    assert the_error_of(run, "labels/class-missing").what == "no short row in train, horizon 20"


def test_a_rare_class_is_named():
    run = honest_run()
    rare = pl.when((pl.col("label_h20") == 0) & (pl.int_range(pl.len()) > 20)).then(1).otherwise("label_h20").cast(pl.Int8)
    run["train"] = run["train"].with_columns(label_h20=rare)
    assert "labels/unbalanced" in [finding.code for finding in examine(**run)]


def test_a_feature_that_moved_is_named_and_one_that_always_wanders_is_not():
    run = honest_run()
    wander = 3 * np.sin(np.arange(2600) / 300)  # stretches of train differ as much as val does
    run["train"] = run["train"].with_columns(clock=pl.Series(wander[:2000]))
    run["val"] = run["val"].with_columns(spread=pl.col("spread") + 1.5, clock=pl.Series(wander[2000:]))
    (drift,) = [finding for finding in examine(**run) if finding.code == "features/drift"]
    assert drift.columns == ("spread",)
    assert drift.severity == "warning"


def test_the_stability_index_of_a_move_from_half_to_a_quarter_by_hand():
    # (0.25 - 0.5) ln(1/2) + (0.75 - 0.5) ln(3/2)
    assert stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(0.25 * (np.log(2) + np.log(1.5)))


def labels_of(closes: np.ndarray, ahead: int, end: np.ndarray) -> Labels:
    """Rows of one minute each, labelled by the sign of the move over `ahead` minutes."""
    n = len(closes)
    has_label = np.arange(n) < n - ahead
    move = np.zeros(n)
    move[: n - ahead] = np.log(closes[ahead:] / closes[: n - ahead])
    zero = np.zeros(n)
    return Labels(np.sign(move).astype(np.int8), has_label, end, move, zero, zero, zero.astype(bool), 1.0, 1.0, ahead)


def test_a_label_that_reads_past_its_end_is_found():
    """Planted: the outcome after five minutes, said to be known after three."""
    time = np.arange(1000, 1200)
    minutes = Minutes.of(time, np.random.default_rng(1).uniform(100, 101, (200, 5)))

    def honest(of: Minutes) -> Labels:
        return labels_of(of.bars[:, 3], 5, time + 1 + 5)

    def lying(of: Minutes) -> Labels:
        return labels_of(of.bars[:, 3], 5, time + 1 + 3)

    assert list(reads_past_its_end(honest, minutes, time + 1, seed=1)) == []
    (finding,) = reads_past_its_end(lying, minutes, time + 1, seed=1)
    assert (finding.code, finding.rows) == ("labels/future", 20)


def rung_of(n: int, contract: np.ndarray | None = None, session: np.ndarray | None = None) -> Rung:
    """Bars of one minute, all alike."""
    rows, zero = np.arange(n), np.zeros(n, np.int64)
    bars = np.full((n, 5), 100.0)
    session = zero if session is None else session
    return Rung("1m", rows, rows + 1, bars, session, zero if contract is None else contract, rows, rows)


def test_rows_left_out_for_their_outcome_are_found():
    """Planted leak 23: the ties are taken out before scoring."""
    n, closes = 60, np.random.default_rng(2).uniform(100, 101, 60)
    labels, asked, base = labels_of(closes, 5, np.arange(n)), np.ones(n, bool), rung_of(n)
    assert list(dropped_by_outcome(labels, asked, base, 5)) == []
    chosen = labels.has_label & (np.arange(n) % 10 != 3)
    (finding,) = dropped_by_outcome(replace(labels, has_label=chosen), asked, base, 5)
    assert (finding.code, finding.rows) == ("labels/dropped", 6)


def test_rows_that_were_not_asked_may_lack_a_label_and_must_not_have_one():
    """Warm-up of the ATR, and bars that are no event."""
    labels = labels_of(np.random.default_rng(4).uniform(100, 101, 60), 5, np.arange(60))
    asked = np.arange(60) >= 14
    warm = replace(labels, has_label=labels.has_label & asked)
    assert list(dropped_by_outcome(warm, asked, rung_of(60), 5)) == []
    (finding,) = dropped_by_outcome(labels, asked, rung_of(60), 5)
    assert finding.rows == 14


def test_a_label_across_a_roll_is_found():
    n, closes = 60, np.random.default_rng(3).uniform(100, 101, 60)
    contract = (np.arange(n) >= 30).astype(np.int32)
    (finding,) = dropped_by_outcome(labels_of(closes, 5, np.arange(n)), np.ones(n, bool), rung_of(n, contract), 5)
    assert finding.rows == 5, "the five rows before the roll"


def test_a_window_that_a_session_cuts_must_have_a_label_and_need_not_fear_the_roll_behind_it():
    n, session = 60, np.repeat([0, 1, 2], 20)
    closes = np.repeat([20, 40, 60], 20)
    base = rung_of(n, (np.arange(n) >= 20).astype(np.int32), session)
    whole = replace(labels_of(np.full(n, 100.0), 5, np.arange(n)), has_label=~np.isin(np.arange(n), [19, 59]))
    asked = np.ones(n, bool)
    assert list(dropped_by_outcome(whole, asked, base, 5, closes=closes)) == [], "19 enters the new contract, 59 nothing"
    (finding,) = dropped_by_outcome(whole, asked, base, 5)
    assert finding.rows == 8, "15..18 reach the roll and 55..58 the end"
    (finding,) = dropped_by_outcome(whole, asked, base, 5, closes=np.repeat([20, 40, 61], 20))
    assert finding.rows == 4, "the last session is not over"
    (finding,) = dropped_by_outcome(whole, asked, base, 5, closes=closes, min_bars=2)
    assert finding.rows == 3, "18, 38 and 58 see one bar"


@pytest.mark.parametrize(
    ("settings", "label", "code"),
    [
        (LabelSettings(primary_signal="cross.csv"), -1, "labels/value"),
        (LabelSettings(method="trend_scanning"), 2, "labels/value"),
        (LabelSettings(uniqueness=True), 0, "labels/weight"),
    ],
)
def test_what_is_impossible_depends_on_what_was_asked_for(settings, label, code):
    run = honest_run()
    paid = pl.col("label_h20").abs() if settings.primary_signal else pl.col("label_h20")
    spread = pl.col("sample_weight_h20") * 3 if settings.uniqueness else pl.col("sample_weight_h20")
    for part in ("train", "val"):
        run[part] = run[part].with_columns(label_h20=paid.cast(pl.Int8), sample_weight_h20=spread)
    assert [finding.code for finding in examine(**run, labels=settings) if finding.severity == "error"] == []
    here = pl.int_range(pl.len()) == 7
    name, value = ("sample_weight_h20", pl.lit(0.0)) if settings.uniqueness else ("label_h20", pl.lit(label, pl.Int8))
    run["train"] = run["train"].with_columns(pl.when(here).then(value).otherwise(name).alias(name))
    found = [finding for finding in examine(**run, labels=settings) if finding.severity == "error"]
    assert [(finding.code, finding.rows) for finding in found] == [(code, 1)]


def test_no_neutral_trend_is_no_missing_class_and_no_paid_trade_is_one():
    run = honest_run()
    for part in ("train", "val"):
        run[part] = run[part].with_columns(label_h20=pl.when(pl.col("label_h20") == 0).then(1).otherwise("label_h20").cast(pl.Int8))
    assert errors_of(run)[0].code == "labels/class-missing"
    assert [one for one in examine(**run, labels=LabelSettings(method="trend_scanning")) if one.severity == "error"] == []
    for part in ("train", "val"):
        run[part] = run[part].with_columns(label_h20=(pl.col("label_h20") * 0).cast(pl.Int8))
    meta = examine(**run, labels=LabelSettings(primary_signal="cross.csv"))
    assert [one.what for one in meta if one.severity == "error"] == ["no paid row in train, horizon 20"]
