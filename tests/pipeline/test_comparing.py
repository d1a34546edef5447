"""What `diff` says about two runs of one workspace, of which the later wrote over the earlier one's data."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from barsmith.artifacts import read_sealed, write_sealed
from barsmith.errors import BarsmithError, IntegrityError, UsageError
from barsmith.pipeline.api import rerun, run
from barsmith.pipeline.comparing import compare, different
from barsmith.pipeline.run_records import idle_shares, label_shares
from small_market import SmallMarket


@pytest.fixture(scope="module")
def workspace(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(market.workspace, tmp_path_factory.mktemp("compared") / "copied")


def test_a_run_made_again_differs_in_nothing(workspace: Path, market: SmallMarket) -> None:
    again = run(workspace, symbol="MES")
    found = compare(workspace, market.run["run_id"], again["run_id"])
    assert found["is_same"]
    assert {key for key, value in found.items() if value} == {"a", "b", "is_same"}


def test_another_barrier_and_a_dropped_feature_are_told_with_what_they_changed(workspace: Path, market: SmallMarket) -> None:
    words = ("labels.k_up=3", "features.set=[rsi_14, roc_10, bar_range, atr_to_close_14]", "features.drop=[]")
    other = run(workspace, symbol="MES", overrides=words)
    found = compare(workspace, market.run["run_id"], other["run_id"])
    assert found["settings"]["labels.k_up"] == [None, 3.0]
    assert found["settings"]["features.set"][1] == ["rsi_14", "roc_10", "bar_range", "atr_to_close_14"]
    assert (found["versions"], found["code"], found["notes"]) == ({}, {}, [])
    assert found["inputs"] == {"barriers": ['[1.5,1.0,"atr"]', '[3.0,1.0,"atr"]']}
    assert "cci_20" in found["features"]["removed"]
    assert found["features"]["added"] == []
    assert found["barriers"] == {"20.k_up": [1.5, 3.0], "5.k_up": [1.5, 3.0]}
    a, b = found["label_shares"]["train.20.1"]
    assert a > b  # a barrier twice as far is reached less often
    assert {"ingest", "clean", "sessions"} & set(found["stages"]) == set()
    assert {"features", "labeling", "final_labels", "reporting"} <= set(found["stages"])
    reverse = compare(workspace, other["run_id"], market.run["run_id"])
    assert reverse["features"]["added"] == found["features"]["removed"]
    assert reverse["label_shares"]["train.20.1"] == [b, a]


def test_other_minutes_are_told_by_hash_and_rows(workspace: Path, market: SmallMarket) -> None:
    raw = workspace / "data/raw/MES_1m.parquet"
    frame = pl.read_parquet(raw)
    frame.head(len(frame) - 1500).write_parquet(raw)
    try:
        shorter = run(workspace, symbol="MES")
    finally:
        shutil.copy(market.raw, raw)
    found = compare(workspace, market.run["run_id"], shorter["run_id"])
    assert set(found["inputs"]) == {"raw_file", "raw_file rows_read", "raw_file rows_kept", "raw_file last"}
    before, after = found["inputs"]["raw_file rows_read"]
    assert before - after == 1500
    assert found["rows"]["ingest"] == [before, after]
    assert found["settings"] == {}
    assert set(found["splits"]) <= {"train", "val", "test"}


def test_a_changed_source_file_is_told_with_the_stages_that_run_it(workspace: Path, market: SmallMarket) -> None:
    copy = workspace / "runs" / "20200101-000000-MES"
    shutil.copytree(workspace / "runs" / market.run["run_id"], copy)
    record = read_sealed(copy / "made_of.json")
    record["code"]["barsmith.labels.barriers"] = "0" * 64
    record["code"]["barsmith.splits.gone"] = "1" * 64
    record["versions"]["numpy"] = "0.1"
    for stage in record["stages"].values():  # a name more: later numbers move
        names = sorted(record["code"])
        stage["modules"] = [number + (number >= names.index("barsmith.splits.gone")) for number in stage["modules"]]
    record["stages"]["splits"]["modules"].append(names.index("barsmith.splits.gone"))
    write_sealed(copy / "made_of.json", record)
    found = compare(workspace, copy.name, market.run["run_id"])
    assert set(found["code"]) == {"barsmith.labels.barriers", "barsmith.splits.gone"}
    assert "labeling" in found["code"]["barsmith.labels.barriers"]["stages"]
    assert "ingest" not in found["code"]["barsmith.labels.barriers"]["stages"]
    assert found["code"]["barsmith.splits.gone"] == {"stages": ["splits"], "digests": ["1" * 64, None]}
    assert found["versions"]["numpy"][0] == "0.1"


def test_a_run_that_did_not_finish_is_compared_as_far_as_it_came(workspace: Path, market: SmallMarket) -> None:
    with pytest.raises(BarsmithError):
        run(workspace, symbol="MES", overrides=["splits.embargo_bars=100000"])
    failed = max(path.name for path in (workspace / "runs").iterdir())
    found = compare(workspace, market.run["run_id"], failed)
    assert found["notes"] == [f"{failed} did not finish (failed): labels, features and findings are not compared"]
    assert found["settings"] == {"splits.embargo_bars": [100, 100000]}
    assert not found["is_same"]
    assert found["label_shares"] == {}
    alone = rerun(workspace, market.run["run_id"], only="ingest")
    assert compare(workspace, market.run["run_id"], alone["run_id"])["notes"] == [
        f"{alone['run_id']} made ingest alone: of data it tells nothing else"
    ]


def test_unknown_runs_and_changed_records_are_refused(workspace: Path, market: SmallMarket) -> None:
    with pytest.raises(UsageError) as unknown:
        compare(workspace, market.run["run_id"], "nosuch")
    assert unknown.value.code == "run/not-found"
    copy = shutil.copytree(workspace / "runs" / market.run["run_id"], workspace / "runs" / "20200102-000000-MES")
    path = copy / "made_of.json"
    path.write_bytes(path.read_bytes().replace(b"numpy", b"nunpy"))
    with pytest.raises(IntegrityError):
        compare(workspace, market.run["run_id"], copy.name)


def test_differences_and_shares_by_hand() -> None:
    assert different({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": [1, None], "b": [2, 3], "c": [None, 4]}
    table = pl.DataFrame({"label_h5": [1, 1, -1, None], "label_end_h5": [1, 2, 3, None]})
    assert label_shares(table) == {"5": {"-1": 1 / 3, "1": 2 / 3}}
    assert idle_shares(table) == {"5": {"unlabelled": 0.25}}
    assert label_shares(table.head(0)) == idle_shares(table.head(0)) == {}


def test_a_row_that_was_not_asked_is_not_one_whose_future_is_missing() -> None:
    table = pl.DataFrame({"is_event": [True, False, False, True, True], "label_h5": [1, None, None, -1, None]})
    assert label_shares(table) == {"5": {"-1": 0.5, "1": 0.5}}
    assert idle_shares(table) == {"5": {"no event": 0.4, "unlabelled": 0.2}}
