"""Runs as the command line asks for them: dry, one stage alone, several symbols at once, two held against each other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from command import Walked, barsmith, process, started

from barsmith.bars.simulated_files import write_simulated

LABEL_STAGES = {"labeling", "ga_optimize", "final_labels", "splits", "scaling", "datasets", "validation", "reporting"}


def runs(workspace: Path) -> list[str]:
    return sorted(path.name for path in (workspace / "runs").iterdir())


class TestDryRun:
    def test_of_a_finished_run_everything_is_cached_and_nothing_is_written(self, walked: Walked) -> None:
        before = runs(walked.workspace)
        done = barsmith("--json", "run", "--dry-run", "--workspace", walked.workspace)
        assert done.code == 0
        assert {stage["action"] for stage in done.json["stages"]} == {"cached"}
        assert len(done.json["stages"]) == 14
        assert runs(walked.workspace) == before

    def test_of_a_changed_label_setting_bars_and_features_are_reused(self, walked: Walked) -> None:
        words = ("run", "--dry-run", "--set", "labels.k_up=2", "--workspace", walked.workspace)
        stages = {stage["name"]: stage for stage in barsmith("--json", *words).json["stages"]}
        assert {name for name, stage in stages.items() if stage["action"] == "run"} == LABEL_STAGES
        assert any("labels.k_up null -> 2.0" in why for why in stages["labeling"]["why"])
        assert "its input labeling is another" in stages["final_labels"]["why"]
        assert re.search(r"labeling +made +.*labels\.k_up null -> 2\.0", barsmith(*words).out)

    def test_of_a_rerun(self, walked: Walked) -> None:
        done = barsmith("--json", "rerun", "--from", "scaling", "--dry-run", "--workspace", walked.workspace)
        made = [stage["name"] for stage in done.json["stages"] if stage["action"] == "run"]
        assert made == ["scaling", "datasets", "validation", "reporting"]
        assert done.json["stages"][-1]["why"] == ["asked for: --from scaling"]


class TestOnly:
    def test_one_stage_is_made_again(self, walked: Walked, copied: Path) -> None:
        done = barsmith("--json", "rerun", walked.run["run_id"], "--only", "labeling", "--workspace", copied)
        assert [(stage["name"], stage["status"]) for stage in done.json["stages"]] == [("labeling", "done")]
        state = barsmith("--json", "status", done.json["run_id"], "--workspace", copied).json
        assert (state["status"], state["only"], [stage["name"] for stage in state["stages"]]) == ("done", "labeling", ["labeling"])
        assert barsmith("--json", "validate", "--workspace", copied).json["run_id"] == walked.run["run_id"]

    def test_a_stale_stage_before_it_is_named_and_no_run_begins(self, walked: Walked) -> None:
        before = runs(walked.workspace)
        for dry in ((), ("--dry-run",)):
            done = barsmith("--json", "run", "--only", "datasets", "--set", "scaling.clip=4", *dry, "--workspace", walked.workspace)
            assert (done.code, done.error["code"], done.error["came"]) == (2, "run/stale", "scaling (scaling.clip 5.0 -> 4.0)")
        assert runs(walked.workspace) == before

    @pytest.mark.parametrize("words", [("run", "--only", "labelling"), ("rerun", "--only", "labelling", "--dry-run")])
    def test_an_unknown_stage_is_refused(self, words: tuple[str, ...], walked: Walked) -> None:
        done = barsmith("--json", *words, "--workspace", walked.workspace)
        assert (done.code, done.error["code"], done.error["where"]) == (2, "run/stage", "--only")

    def test_only_and_from_together_are_refused(self, walked: Walked) -> None:
        done = barsmith("--json", "rerun", "--only", "scaling", "--from", "scaling", "--workspace", walked.workspace)
        assert (done.code, done.error["code"]) == (2, "cli/usage")


def test_status_is_a_table_with_times_rows_and_memory(walked: Walked) -> None:
    done = barsmith("status", walked.run["run_id"], "--workspace", walked.workspace)
    assert re.search(r"stage +status +seconds +rows +peak MiB", done.out)
    assert re.search(r"labeling +done +[\d.]+ +[\d,]+ +[\d,.]+ *\n", done.out)
    assert "peak MiB: the most resident memory of the process" in done.out


def test_diff_says_what_differs_and_nothing_where_nothing_does(walked: Walked, copied: Path) -> None:
    first = walked.run["run_id"]
    other = barsmith("--json", "run", "--set", "scaling.clip=4", "--workspace", copied).json["run_id"]
    done = barsmith("diff", first, other, "--workspace", copied)
    assert done.code == 0
    assert re.search(r"scaling\.clip +5\.000 +4\.000", done.out)
    assert "made of something else: scaling, datasets, validation, reporting" in done.out
    assert "labels" not in done.out
    found = barsmith("--json", "diff", first, other, "--workspace", copied).json
    assert found["settings"] == {"scaling.clip": [5.0, 4.0]}
    assert barsmith("diff", first, first, "--workspace", copied).out.endswith("nothing differs\n")
    missing = barsmith("--json", "diff", first, "nosuch", "--workspace", copied)
    assert (missing.code, missing.error["code"]) == (2, "run/not-found")


class TestSeveralSymbols:
    def test_one_that_fails_does_not_stop_the_other_and_the_order_is_the_one_asked(self, walked: Walked, copied: Path) -> None:
        words = ("--symbols", "MGC,MES", "--backend", "loky", "--workers", "2", "--set", "allow_batch_symbols=true")
        done = process("--json", "run", *words, "--workspace", copied)
        assert done.returncode == 1
        missing, whole = json.loads(done.stdout)["runs"]
        assert (missing["symbol"], missing["error"]["code"]) == ("MGC", "bars/not-found")
        assert {stage["status"] for stage in whole["stages"]} == {"cached"}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("--workers", "0"), "--workers of 1 to 1024"),
            (("--workers", "-3"), "--workers of 1 to 1024"),
            (("--backend", "lokey"), "did you mean loky?"),
        ],
    )
    def test_impossible_ways_to_share_the_work_are_refused(self, words: tuple[str, ...], told: str, walked: Walked) -> None:
        done = barsmith("--json", "run", *words, "--workspace", walked.workspace)
        assert (done.code, done.error["code"]) == (2, "cli/usage")
        assert told in done.error["expected"] + done.error["do"]

    @pytest.mark.parametrize("backend", ["ray", "dask"])
    def test_a_missing_backend_is_told_with_its_command(self, backend: str, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("ray", "dask", "dask.distributed"):
            monkeypatch.setitem(sys.modules, name, None)
        words = ("--symbols", "MGC,MES", "--backend", backend, "--set", "allow_batch_symbols=true", "--workspace", copied)
        done = barsmith("--json", "run", *words)
        assert (done.code, done.error["code"]) == (2, "parallel/missing-library")


class TestValidate:
    def test_tables_of_ones_own_are_checked_and_a_leak_ends_with_3_and_its_rows(self, walked: Walked, tmp_path: Path) -> None:
        scaled = shutil.copytree(walked.workspace / "data/splits/scaled/MES", tmp_path / "tables")
        done = barsmith("--json", "validate", "--path", scaled, "--workspace", walked.workspace)
        assert (done.code, done.json["is_ready"], done.json["horizons"]) == (0, True, [5, 20])
        train = pl.read_parquet(scaled / "train_scaled.parquet")
        train.reverse().write_parquet(scaled / "train_scaled.parquet")
        done = barsmith("--json", "validate", "--path", scaled, "--workspace", walked.workspace)
        errors = [finding for finding in done.json["findings"] if finding["severity"] == "error"]
        assert (done.code, [(one["code"], one["rows"]) for one in errors]) == (3, [("splits/order", len(train) - 1)])
        told = barsmith("validate", "--path", scaled, "--workspace", walked.workspace)
        assert "not checked: labels, label ends, returns" in told.out
        assert "NOT ready for training" in told.out

    def test_another_schema_and_no_path_are_refused(self, walked: Walked) -> None:
        raw = barsmith("--json", "validate", "--path", walked.raw, "--workspace", walked.workspace)
        assert (raw.code, raw.error["code"]) == (3, "datasets/schema")
        none = barsmith("--json", "validate", "--path", "nowhere", "--workspace", walked.workspace)
        assert (none.code, none.error["code"]) == (2, "cli/path")
        both = barsmith("--json", "validate", "--path", "nowhere", "--symbols", "MES", "--workspace", walked.workspace)
        assert (both.code, both.error["code"]) == (2, "cli/usage")

    def test_of_several_symbols_each_is_looked_at(self, copied: Path) -> None:
        config = copied / "config" / "pipeline.yaml"
        config.write_text(config.read_text() + "allow_batch_symbols: true\n")
        done = barsmith("--json", "validate", "--symbols", "MGC,MES", "--workspace", copied)
        missing, whole = done.json["runs"]
        assert (done.code, missing["error"]["code"], whole["is_ready"]) == (3, "data/not-run", True)


SMALL = "timeframes: [5m, 15m]\nlabel_horizons: [5]\nsplits: {embargo_bars: 60}\nallow_batch_symbols: true\nfeatures: {set: minimal}\nlabels: {trials: 10}\n"


def two_symbols(workspace: Path) -> Path:
    (workspace / "config").mkdir(parents=True)
    (workspace / "config" / "pipeline.yaml").write_text(SMALL)
    for symbol in ("MES", "MGC"):
        write_simulated(workspace, symbol, days=10, seed=3, edge=0.1, paths=0, start=date(2025, 3, 3))
    return workspace


def data(workspace: Path) -> dict[str, bytes]:
    files = (path for path in (workspace / "data").rglob("*") if path.is_file() and path.name not in ("state.json", "lock", "lock.pid"))
    return {str(path.relative_to(workspace)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_symbols_at_once_leave_the_bytes_that_each_leaves_alone_and_a_killed_start_is_taken_up_again(tmp_path: Path) -> None:
    """kill -9 of the command at several moments: its workers go with it, nothing is torn, and the next command ends as if undisturbed."""
    alone = two_symbols(tmp_path / "alone")
    for symbol in ("MES", "MGC"):
        assert barsmith("--json", "run", "--symbols", symbol, "--workspace", alone).code == 0
    fresh = two_symbols(tmp_path / "fresh")
    words = ("--json", "run", "--symbols", "MGC,MES", "--backend", "loky", "--workers", "2")
    for number, seconds in enumerate((2.5, 4.0, 5.0, 6.0)):
        killed = shutil.copytree(fresh, tmp_path / f"killed{number}")
        with started(*words, "--workspace", killed) as command:
            time.sleep(seconds)
            os.kill(command.pid, signal.SIGKILL)
        time.sleep(1.0)  # within which the workers see that nobody waits for them
        done = process(*words, "--workspace", killed)
        assert done.returncode == 0, done.stderr
        assert [one["symbol"] for one in json.loads(done.stdout)["runs"]] == ["MGC", "MES"]
        assert data(killed) == data(alone)
