"""The verbs one after the other, from raw minutes to signals, on a small simulated market."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from command import Walked, barsmith

from barsmith.artifacts import read_parquet, record_of
from barsmith.pipeline.stages import STAGE_NAMES

SIGNAL_FIELDS = ["datetime", "symbol", "signal", "confidence", "prob_short", "prob_neutral", "prob_long"]


class TestSimulate:
    def test_the_truth_says_which_bars_it_is_about(self, walked: Walked) -> None:
        truth, about = read_parquet(Path(walked.simulated["truth"]), symbol="MES")
        assert about["about"]["bars_sha256"] == record_of(walked.raw).sha256
        assert {"prob_short_h20", "prob_long_h5"} <= set(truth.columns)
        assert walked.simulated["settings"]["days"] == 12

    def test_the_settings_of_the_workspace_choose_the_horizons(self, walked: Walked) -> None:
        assert walked.simulated["settings"]["horizons"] == [5, 20]

    def test_the_same_arguments_give_the_same_bytes(self, tmp_path: Path) -> None:
        words = ("simulate", "--days", "2", "--paths", "2", "--start", "2025-03-03")
        files = ["MES_1m.parquet", "MES_truth.parquet"]
        for name in ("one", "two"):
            assert barsmith(*words, "--workspace", tmp_path / name).code == 0
        one, two = ([(tmp_path / name / "data/raw" / file).read_bytes() for file in files] for name in ("one", "two"))
        assert one == two

    def test_the_first_trade_date_is_the_one_asked_for(self, tmp_path: Path) -> None:
        barsmith("simulate", "--days", "1", "--paths", "0", "--start", "2025-03-04", "--workspace", tmp_path)
        first = pl.read_parquet(tmp_path / "data/raw/MES_1m.parquet")["datetime"][0]
        assert f"{first:%Y-%m-%d %H}" == "2025-03-03 23"  # 17:00 in Chicago the evening before


class TestRun:
    def test_its_record_has_every_stage(self, walked: Walked) -> None:
        assert [stage["name"] for stage in walked.run["stages"]] == list(STAGE_NAMES)
        assert {stage["status"] for stage in walked.run["stages"]} == {"done"}
        assert set(walked.run) >= {"run_id", "symbol", "stages", "features", "splits"}
        assert set(walked.run["splits"]) == {"train", "val", "test"}
        assert walked.run["features"] > 100

    def test_a_second_run_computes_nothing(self, copied: Path) -> None:
        again = barsmith("--json", "run", "--workspace", copied)
        assert {stage["status"] for stage in again.json["stages"]} == {"cached"}
        assert "MES ingest cached" in again.err

    def test_a_rerun_makes_a_stage_and_later_ones_again(self, walked: Walked, copied: Path) -> None:
        again = barsmith("--json", "rerun", walked.run["run_id"], "--from", "labeling", "--workspace", copied).json
        stages = {stage["name"]: stage["status"] for stage in again["stages"]}
        assert (stages["mtf"], stages["labeling"], stages["reporting"]) == ("cached", "done", "done")
        assert again["run_id"] != walked.run["run_id"]

    def test_a_rerun_from_an_unknown_stage_is_refused(self, walked: Walked) -> None:
        done = barsmith("--json", "rerun", walked.run["run_id"], "--from", "labelling", "--workspace", walked.workspace)
        assert (done.code, done.error["code"]) == (2, "run/stage")
        assert "did you mean labeling" in done.error["do"]

    def test_a_reader_gets_sentences(self, copied: Path) -> None:
        done = barsmith("run", "--workspace", copied)
        assert re.search(r"MES run \S+: \d+ features; base bars: train [\d,]+, val \d+, test \d+\n", done.out)
        assert re.search(r"report in \S+\.html", done.out)
        assert Path(re.findall(r"report in (\S+)", done.out)[0]).is_file()

    def test_its_options_are_settings(self, copied: Path) -> None:
        words = ("--on-bad-rows", "quarantine", "--repair", "--timezone", "UTC", "--set", "scaling.clip=4")
        done = barsmith("--json", "run", *words, "--workspace", copied)
        stages = {stage["name"]: stage["status"] for stage in done.json["stages"]}
        assert (stages["ingest"], stages["scaling"]) == ("done", "done")
        config = (copied / "runs" / done.json["run_id"] / "config" / "pipeline.yaml").read_text()
        assert "on_bad_rows: quarantine" in config
        assert "clip: 4.0" in config

    def test_several_symbols_run_alone_one_after_the_other_where_that_is_allowed(self, copied: Path) -> None:
        refused = barsmith("--json", "run", "--symbols", "MES,MGC", "--workspace", copied)
        assert (refused.code, refused.error["code"]) == (2, "cli/symbol")
        assert "allow_batch_symbols" in refused.error["do"]
        both = barsmith("--json", "run", "--symbols", "MGC,MES", "--set", "allow_batch_symbols=true", "--workspace", copied)
        missing, done = both.json["runs"]
        assert both.code == 1
        assert (missing["symbol"], missing["error"]["code"]) == ("MGC", "bars/not-found")
        assert done["symbol"] == "MES"
        assert len(done["stages"]) == len(STAGE_NAMES)


class TestStatusAndValidate:
    def test_status_tells_each_stage(self, walked: Walked) -> None:
        words = ("status", walked.run["run_id"], "--workspace", walked.workspace)
        assert barsmith("--json", *words).json["status"] == "done"
        assert re.search(r"labeling +done", barsmith(*words).out)

    def test_status_of_an_unknown_run_names_the_latest(self, walked: Walked) -> None:
        done = barsmith("--json", "status", "nosuch", "--workspace", walked.workspace)
        assert (done.code, done.error["code"]) == (2, "run/not-found")
        assert walked.run["run_id"] in done.error["do"]

    def test_validate_finds_a_whole_run_ready(self, walked: Walked) -> None:
        done = barsmith("--json", "validate", "--symbols", "MES", "--workspace", walked.workspace)
        assert (done.code, done.json["is_ready"]) == (0, True)

    def test_validate_sees_a_flipped_byte(self, walked: Walked, copied: Path) -> None:
        file = copied / "data/splits/scaled/MES/val_scaled.parquet"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        done = barsmith("--json", "validate", "--workspace", copied)
        assert (done.code, done.error["code"]) == (6, "integrity/mismatch")

    def test_a_finding_that_is_an_error_exits_3(self, walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
        from barsmith.pipeline import api

        finding = {"code": "splits/overlap", "what": "a label of train ends in val", "rows": 1, "columns": [], "severity": "error"}
        record = {"run_id": "r", "symbol": "MES", "files": 3, "is_ready": False, "findings": [finding], "not_checked": ["regimes"]}
        monkeypatch.setattr(api, "validate", lambda workspace, symbol: record)
        done = barsmith("validate", "--workspace", walked.workspace)
        assert done.code == 3
        assert "error: a label of train ends in val [splits/overlap]\nNOT ready" in done.out
        assert "not checked: regimes" in done.out


class TestTrain:
    def test_its_record_has_scores_beside_baselines(self, walked: Walked) -> None:
        assert set(walked.train) >= {"run_dir", "model", "symbol", "horizon", "seconds", "metrics", "baselines"}
        assert set(walked.train["metrics"]) == {"val"}
        assert set(walked.train["metrics"]["val"]) >= {"accuracy", "f1_macro", "log_loss", "auc_timing", "auc_direction"}
        assert set(walked.train["baselines"]) == {"majority", "train_frequencies", "time_of_day", "last_direction"}
        assert walked.train["best_possible"] is not None
        assert Path(walked.train["run_dir"], "plots", "report.html").is_file()

    def test_the_test_split_is_opened_only_on_demand_and_counted(self, copied: Path) -> None:
        words = ("train", "--model", "xgboost", "--set", "training.n_estimators=2", "--set", "training.n_jobs=1", "--workspace", copied)
        opened = barsmith("--json", *words, "--open-test").json
        assert set(opened["metrics"]) == {"val", "test"}
        again = barsmith(*words, "--open-test")
        assert re.search(r"^ xgboost +\d", again.out, re.M)
        assert "TEST: xgboost" in again.out
        assert re.search(r"^ best possible +\d", again.out, re.M)
        assert "opened 2 times" in again.out

    def test_a_typo_in_the_name_gets_the_nearest(self, walked: Walked) -> None:
        done = barsmith("--json", "train", "--model", "xgbost", "--workspace", walked.workspace)
        assert (done.code, done.error["code"]) == (2, "config/unknown-name")
        assert "did you mean xgboost" in done.error["do"]

    def test_a_workspace_without_a_run_says_what_to_do(self, tmp_path: Path) -> None:
        done = barsmith("--json", "train", "--model", "xgboost", "--symbol", "MES", "--workspace", tmp_path)
        assert (done.code, done.error["code"]) == (3, "data/not-run")
        assert "barsmith run" in done.error["do"]

    def test_list_models_lists_them(self, walked: Walked) -> None:
        assert barsmith("train", "--list-models", "--json").json == barsmith("models", "list", "--json").json


class TestBundle:
    def test_create_verify_and_list_agree(self, walked: Walked) -> None:
        verified = barsmith("--json", "bundle", "verify", walked.bundle, "--workspace", walked.workspace).json
        (listed,) = barsmith("--json", "bundle", "list", "--workspace", walked.workspace).json["bundles"]
        assert verified == walked.created | {"state": "ok"}
        assert (listed["name"], listed["state"]) == ("small", "ok")

    def test_verify_sees_a_flipped_byte_and_list_marks_it(self, copied: Path) -> None:
        file = copied / "bundles" / "small" / "scaler.json"
        file.write_bytes(file.read_bytes().replace(b"5", b"6", 1))
        done = barsmith("--json", "bundle", "verify", copied / "bundles" / "small", "--workspace", copied)
        assert (done.code, done.error["code"]) == (6, "integrity/mismatch")
        assert "integrity/mismatch" in barsmith("bundle", "list", "--workspace", copied).out

    def test_a_name_that_is_a_path_is_refused(self, walked: Walked) -> None:
        words = ("bundle", "create", "--run", walked.train["run_dir"], "--name", "../outside", "--workspace", walked.workspace)
        done = barsmith("--json", *words)
        assert (done.code, done.error["code"]) == (2, "config/name")


class TestPredictAndParity:
    def test_predict_writes_a_row_for_each_finished_base_bar(self, walked: Walked, tmp_path: Path) -> None:
        out = tmp_path / "signals.parquet"
        done = barsmith("--json", "predict", "--bundle", walked.bundle, "--bars", walked.raw, "--out", out)
        signals = pl.read_parquet(out)
        assert signals.columns == SIGNAL_FIELDS
        assert len(signals) == done.json["rows"] == sum(done.json["signals"].values())
        assert done.json["signals"]["warming_up"] == signals["signal"].null_count() > 0
        assert signals["signal"][-1] is not None

    def test_an_earlier_output_is_replaced_and_no_other_file(self, walked: Walked, tmp_path: Path) -> None:
        out = tmp_path / "signals.parquet"
        words = ("predict", "--bundle", walked.bundle, "--input", walked.raw, "--output", out)
        assert barsmith(*words).code == barsmith(*words).code == 0
        other = tmp_path / "other.parquet"
        walked.bars(0, 10).write_parquet(other)
        before = other.read_bytes()
        refused = barsmith("--json", *words[:-1], other)
        assert (refused.code, refused.error["code"], other.read_bytes()) == (2, "cli/exists", before)
        assert barsmith(*words[:-1], other, "--force").code == 0
        assert pl.read_parquet(other).columns == SIGNAL_FIELDS

    def test_raw_bars_are_never_overwritten(self, walked: Walked, tmp_path: Path) -> None:
        bars = tmp_path / "bars.parquet"
        bars.write_bytes(walked.raw.read_bytes())
        done = barsmith("--json", "predict", "--bundle", walked.bundle, "--bars", bars, "--out", bars, "--force")
        assert (done.code, done.error["code"]) == (2, "config/path")
        among = tmp_path / "data" / "raw" / "MES_1m.parquet"
        done = barsmith("--json", "predict", "--bundle", walked.bundle, "--bars", bars, "--out", among, "--force", "--workspace", tmp_path)
        assert (done.code, done.error["code"], among.exists()) == (2, "config/path", False)
        assert bars.read_bytes() == walked.raw.read_bytes()

    def test_the_stamps_may_be_those_of_the_close(self, walked: Walked, tmp_path: Path) -> None:
        closes, opens = tmp_path / "closes.csv", tmp_path / "opens.csv"
        bars = walked.bars(-600)
        bars.write_csv(opens)
        bars.with_columns(pl.col("datetime").dt.offset_by("1m")).write_csv(closes)
        outs = []
        for bars_file, stamps in ((opens, "open"), (closes, "close")):
            outs.append(tmp_path / f"{stamps}.parquet")
            words = ("--bars", bars_file, "--out", outs[-1], "--timestamps", stamps)
            assert barsmith("predict", "--bundle", walked.bundle, *words).code == 0
        assert pl.read_parquet(outs[0]).equals(pl.read_parquet(outs[1]))

    def test_parity_compares_every_number(self, walked: Walked, tmp_path: Path) -> None:
        last = tmp_path / "last.parquet"
        walked.bars(-1000).write_parquet(last)
        machine = barsmith("--json", "parity", "--bundle", walked.bundle, "--bars", last)
        found = machine.json
        assert (machine.code, found["mismatches"], found["first_mismatch"]) == (0, 0, None)
        assert found["values"] == found["bars"] * (found["features"] + 3)
        told = barsmith("parity", "--bundle", walked.bundle, "--bars", last)
        assert told.out == f"parity: {found['values']:,} values, 0 mismatches\n"

    def test_a_mismatch_exits_6_and_names_the_first(self, walked: Walked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from barsmith.features.live import Finished
        from barsmith.serving.scoring import Scorer, Signal

        honest = Scorer.signal

        def leaning(self: Scorer, finished: Finished, symbol: str) -> Signal:
            finished.features[0] += 1e-9  # the planted fault: live sees something else than batch
            return honest(self, finished, symbol)

        monkeypatch.setattr(Scorer, "signal", leaning)
        last = tmp_path / "last.parquet"
        walked.bars(-100).write_parquet(last)
        done = barsmith("parity", "--bundle", walked.bundle, "--bars", last)
        assert done.code == 6
        assert re.search(r"values, [1-9]\d* mismatches\nfirst: \S+ at 2025-\S+Z, \S+ in batch, \S+ live\n", done.out)


def test_demo_goes_into_its_own_folder_and_prints_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from barsmith.pipeline import api, demo

    for name, value in {"DAYS": 14, "PATHS": 4}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setenv("BARSMITH__SPLITS__EMBARGO_BARS", "100")
    monkeypatch.setenv("BARSMITH__TIMEFRAMES", "[1m, 5m, 15m, 30m, 1h]")
    monkeypatch.setattr(demo, "train", partial(api.train, overrides=["training.n_estimators=20", "training.n_jobs=1"]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("not a demo's")
    refused = barsmith("--json", "demo")
    assert (refused.code, refused.error["code"]) == (2, "demo/folder")
    shutil.rmtree(tmp_path / "demo")
    done = barsmith("demo")
    assert done.code == 0, done.err
    assert re.search(r"^parity: [1-9][\d,]* values, 0 mismatches$", done.out, re.M)
    for row in ("xgboost", "majority", "train frequencies", "time of day", "best possible"):
        assert re.search(rf"^ {row} ", done.out, re.M)
    for what in ("report", "bundle"):
        assert Path(re.findall(rf"^{what} in (\S+)$", done.out, re.M)[0]).exists()


def test_doctor_finds_what_is_missing_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    from barsmith.cli import checkup

    assert barsmith("doctor", "--workspace", tmp_path).code == 0
    known = checkup.version

    def version(name: str) -> str:
        if name.lower() == "plotly":
            raise PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(checkup, "version", version)
    done = barsmith("--json", "doctor", "--workspace", tmp_path)
    wrong = [finding for finding in done.json["checks"] if finding["state"] == "wrong"]
    assert (done.code, done.json["is_fit"]) == (1, False)
    assert [(finding["check"], finding["do"]) for finding in wrong] == [("plotly", "run `make install`, or `pip install plotly`")]


def test_doctor_notices_locks_that_do_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # as on a share without locks
    findings = {finding["check"]: finding for finding in barsmith("--json", "doctor", "--workspace", tmp_path).json["checks"]}
    found = findings[f"workspace {tmp_path}"]
    assert (found["state"], found["found"]) == ("warn", "io/filesystem: locks do not hold here")
    assert list(tmp_path.iterdir()) == []
