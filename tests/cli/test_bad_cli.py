"""The command-line cases of the list of bad inputs, each tried as a user would meet it.

The list lies beside the real bars; what is expected stands here as well, so that the cases are tried without it too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import LAUNCH, Outcome, Walked, barsmith, environment, process, started

HERE = Path(__file__).parent
ELSEWHERE = {
    "A01": "test_no_arguments_print_help_and_exit_2",
    "A02": "test_help_works_beside_a_broken_settings_file",
    "A03": "test_version_names_the_build",
    "A16": "test_doctor_notices_locks_that_do_not_hold",
    "A46": "test_a_hundred_thousand_arguments_are_refused_at_once",
    "A47": "test_bytes_that_are_not_utf_8_are_refused_and_shown_escaped",
    "A49": "test_control_characters_in_names_reach_no_terminal",
    "A51": "test_a_reader_that_goes_away_is_no_error",
    "A52": "test_a_full_disk_under_standard_output_is_told_on_standard_error",
    "A53": "test_a_signal_stops_a_run_that_the_same_command_takes_up_again",
    "A54": "test_a_second_signal_does_not_wait",
    "A55": "test_a_signal_stops_a_run_that_the_same_command_takes_up_again",
    "A57": "test_a_stopped_process_keeps_its_lock",
    "A58": "test_a_clock_that_is_set_back_makes_no_negative_time",
    "A59": "test_zone_language_and_hash_seed_change_no_byte",
    "A60": "test_zone_language_and_hash_seed_change_no_byte",
    "A61": "test_no_umask_makes_a_file_that_others_can_write",
    "A62": "test_a_small_limit_is_told_and_leaves_nothing_behind",
    "A63": "test_no_home_is_needed",
    "A64": "test_no_network_is_needed",
    "A66": "test_optimised_python_refuses_what_python_refuses",
}
"""Cases that need more than one line: the test that tries each, in this folder."""
LATER = {
    "A12": "ensembles are not built yet: --base-models is an unknown option",
    "A31": "no verb takes --jobs",
    "A33": "no verb selects rows by --start and --end",
    "A35": "there is no server yet",
    "A36": "there is no server yet",
    "A37": "there is no server yet",
    "A42": "void: code is never run from a bundle, so there is nothing to allow",
}
DIFFERENT = {
    "A29": "an unknown key has a code of its own, config/unknown-key, as in a file",
    "A34": "--set device.use_gpu=true stands for --device cuda, and its code is that of the setting, config/device",
    "A45": "the only format is Parquet",
}


@dataclass(frozen=True)
class Case:
    """One way to meet a row of the list. words: with {bundle}, {raw}, {workspace}, {folder} (an empty one)."""

    id: str
    code: str
    words: Sequence[str]
    exit_code: int = 2
    build: Callable[[Walked, Path], object] = lambda walked, folder: None

    def tried(self, walked: Walked, folder: Path) -> Outcome:
        self.build(walked, folder)
        places = {"bundle": walked.bundle, "raw": walked.raw, "workspace": walked.workspace, "folder": folder}
        return barsmith("--json", *(re.sub(r"\{(\w+)\}", lambda found: str(places[found[1]]), word) for word in self.words))


PREDICT = ("predict", "--bundle", "{bundle}", "--bars", "{raw}", "--out", "{folder}/out.parquet")
TRAIN = ("train", "--model", "xgboost", "--workspace", "{workspace}")
RUN = ("run", "--workspace", "{workspace}")


def symbols(text: str, id: str) -> Case:
    return Case(id, "cli/symbol", [*RUN, "--symbols", text])


def bundle(text: str) -> Case:
    return Case("A39", "bundle/not-found", [*PREDICT[:1], "--bundle", text, *PREDICT[3:]])


def other_file(walked: Walked, folder: Path) -> None:
    (folder / "out.parquet").write_bytes(b"precious")


def of_gold(walked: Walked, folder: Path) -> None:
    walked.bars(0, 100).with_columns(symbol=pl.lit("MGC")).write_parquet(folder / "bars.parquet")


def named_gold(walked: Walked, folder: Path) -> None:
    walked.bars(0, 100).write_parquet(folder / "MGC_1m.parquet")


def features_table(walked: Walked, folder: Path) -> None:
    walked.bars(0, 100).select("datetime", pl.col("close").alias("rsi_14")).write_parquet(folder / "bars.parquet")


def shuffled_columns(walked: Walked, folder: Path) -> None:
    walked.bars(-100).select("volume", "close", "low", "datetime", "high", "open").write_parquet(folder / "bars.parquet")


def fifo(walked: Walked, folder: Path) -> None:
    os.mkfifo(folder / "settings.yaml")


FROM_FOLDER = (*PREDICT[:4], "{folder}/bars.parquet", *PREDICT[5:])
CASES = [
    Case("A05", "cli/usage", [*TRAIN, "--horizon", "5", "--horizon", "20"]),
    Case("A06", "cli/usage", [*TRAIN, "--horizon"]),
    *(Case("A06", "cli/usage", [*RUN[:-1], *words]) for words in (["", "--symbols", "MES"], ["{workspace}", "--symbols", ""])),
    *(symbols(text, "A09") for text in ("MES,", ",MES", "MES,,MGC", "mes", "MES, MGC", "MESX")),
    *(symbols(text, "A10") for text in ("../../etc/passwd", "MES\n", "MES;rm -rf", "MES\x00", "/MES", "\u041cES")),
    Case("A10", "cli/symbol", [*TRAIN, "--symbol", "../MES"]),
    Case("A10", "cli/symbol", ["simulate", "--symbol", "../MES", "--workspace", "{folder}"]),
    Case("A17", "cli/exists", PREDICT, build=other_file),
    Case("A27", "cli/usage", [*RUN, "--config", "a.yaml", "--config", "b.yaml"]),
    Case("A27", "cli/usage", [*RUN, "--config", "-"]),
    Case("A28", "cli/path", [*RUN, "--config", "/dev/stdin"]),
    Case("A28", "cli/path", [*RUN, "--config", "/proc/self/environ"]),
    Case("A28", "cli/path", [*RUN, "--config", "{folder}/settings.yaml"], build=fifo),
    Case("A29", "config/out-of-range", [*RUN, "--set", "splits.train=1.7"]),
    Case("A29", "config/unknown-key", [*RUN, "--set", "unknown.key=1"]),
    Case("A29", "config/unknown-key", [*RUN, "--set", "a=b=c"]),
    Case("A29", "cli/usage", [*RUN, "--set", "novalue"]),
    *(
        Case("A32", "cli/date", ["simulate", "--start", text, "--workspace", "{folder}"])
        for text in ("2024-13-01", "2024-01-01T00:00Z", "soon")
    ),
    *(bundle(text) for text in ("{folder}/none", "{raw}", "https://example.com/bundle", "runs:/1/bundle", "models:/mes/1")),
    Case("A40", "bundle/mismatch", FROM_FOLDER, 6, of_gold),
    Case("A40", "bundle/mismatch", [*PREDICT[:4], "{folder}/MGC_1m.parquet", *PREDICT[5:]], 6, named_gold),
    Case("A43", "data/schema", FROM_FOLDER, 3, features_table),
    Case("A44", "-", FROM_FOLDER, 0, shuffled_columns),
    *(
        Case("A45", "cli/format", [*PREDICT[:5], "--out", f"{{folder}}/{name}"])
        for name in ("out.csv", "out.xlsx", "out", "out.parquet.gz")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id} {case.words[-1][-30:]!r}")
def test_a_bad_command_line_is_answered_as_the_list_says(case: Case, walked: Walked, tmp_path: Path) -> None:
    before = hashes(walked.workspace)
    done = case.tried(walked, tmp_path)
    assert done.code == case.exit_code
    if case.exit_code:
        assert done.error["code"] == case.code
        assert all(done.error[key] for key in ("expected", "came", "do"))
        assert not any(path.suffix in (".tmp", ".log") for path in tmp_path.rglob("*"))
    assert hashes(walked.workspace) == before


def test_a_gpu_that_is_not_there_is_refused(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    from barsmith.models.boosting import booster

    monkeypatch.setattr(booster, "has_gpu", lambda: False)
    done = barsmith("--json", *[word.replace("{workspace}", str(walked.workspace)) for word in TRAIN], "--set", "device.use_gpu=true")
    assert (done.code, done.error["code"]) == (2, "config/device")


@pytest.mark.real
def test_every_command_line_case_of_the_list_is_tried_or_explained(real_data: Path) -> None:
    lines = (real_data.parent / "reference" / "bad_inputs.jsonl").read_text().splitlines()
    listed = {row["id"]: row["code"] for row in map(json.loads, lines) if row["entry"] == "CLI"}
    tried = {case.id for case in CASES} | {"A34"}
    assert sorted([*tried, *ELSEWHERE, *LATER]) == sorted(listed)
    codes = {id: {case.code for case in CASES if case.id == id} for id in tried}
    assert {id for id in tried if codes[id] != {listed[id]}} == {"A29", "A34"} <= set(DIFFERENT)
    texts = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert all(f"def {name}(" in texts for name in ELSEWHERE.values())


def hashes(folder: Path) -> dict[str, str]:
    """Every file's SHA-256 by its path."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def bare(walked: Walked, folder: Path) -> Path:
    """A workspace that holds the raw bars and the settings, and nothing that was made of them."""
    for name in ("config/pipeline.yaml", "data/raw/MES_1m.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((walked.workspace / name).read_bytes())
    return folder


def test_a_stopped_process_keeps_its_lock(walked: Walked, tmp_path: Path) -> None:
    workspace = bare(walked, tmp_path)
    running = started("run", "--workspace", workspace)
    assert running.stderr is not None
    assert b"run" in running.stderr.readline()
    running.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.3)
        second = barsmith("--json", "run", "--workspace", workspace)
        assert (second.code, second.error["code"]) == (4, "lock/busy")
        assert str(running.pid) in second.error["came"]
    finally:
        running.send_signal(signal.SIGCONT)
    running.communicate(timeout=120)
    assert running.returncode == 0


def test_a_clock_that_is_set_back_makes_no_negative_time(walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, began = time.time, time.time()
    monkeypatch.setattr(time, "time", lambda: began - 10 * (honest() - began))
    stages = barsmith("--json", "run", "--workspace", bare(walked, tmp_path)).json["stages"]
    assert all(stage["seconds"] >= 0 for stage in stages)


def test_zone_language_and_hash_seed_change_no_byte(walked: Walked, tmp_path: Path) -> None:
    workspace = bare(walked, tmp_path)
    env = environment(TZ="Asia/Kolkata", LANG="tr_TR.UTF-8", LC_ALL="tr_TR.UTF-8", PYTHONHASHSEED="123")
    done = process("run", "--workspace", str(workspace), env=env)
    assert done.returncode == 0, done.stderr
    expected = {name: digest for name, digest in hashes(walked.workspace).items() if name.startswith("data/") and "truth" not in name}
    found = hashes(workspace)
    differ = [name for name, digest in expected.items() if found.get(name) != digest and not name.endswith(("state.json", "lock"))]
    assert differ == []
    assert len(expected) > 15


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_no_umask_makes_a_file_that_others_can_write(mask: int, walked: Walked, tmp_path: Path) -> None:
    workspace = bare(walked, tmp_path)
    given = set(workspace.rglob("*"))
    before = os.umask(mask)
    try:
        assert barsmith("run", "--workspace", workspace).code == 0
        words = ("--set", "training.n_estimators=2", "--set", "training.n_jobs=1")
        trained = barsmith("--json", "train", "--model", "xgboost", *words, "--workspace", workspace).json
        assert barsmith("bundle", "create", "--run", trained["run_dir"], "--name", "b", "--workspace", workspace).code == 0
    finally:
        os.umask(before)
    for path in set(workspace.rglob("*")) - given:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & ~(0o755 if path.is_dir() else 0o644) == 0, f"{path.relative_to(workspace)} has {mode:o}"


@pytest.mark.parametrize("limit", ["-f 8", "-n 12", "-v 300000", "-v 1200000"])
def test_a_small_limit_is_told_and_leaves_nothing_behind(limit: str, tmp_path: Path) -> None:
    words = ["--json", "simulate", "--days", "3", "--paths", "0", "--workspace", str(tmp_path)]
    done = process(*words, launch=["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *LAUNCH])
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (5, "io/limit"), done.stderr
    assert b"Traceback" not in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_network_is_needed(walked: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: Any, **more: Any) -> Any:
        raise AssertionError("somebody opened a socket")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    workspace = bare(walked, tmp_path)
    assert barsmith("run", "--workspace", workspace).code == 0
    assert barsmith("train", "--model", "logistic", "--workspace", workspace).code == 0
    assert barsmith("doctor", "--workspace", workspace).code == 0


def test_settings_may_come_from_standard_input(walked: Walked, tmp_path: Path) -> None:
    workspace = bare(walked, tmp_path)
    text = (workspace / "config" / "pipeline.yaml").read_bytes() + b"scaling: {clip: 3}\n"
    done = barsmith("--json", "run", "--config", "-", "--workspace", workspace, stdin=text)
    assert done.code == 0, done.out
    config = (workspace / "runs" / done.json["run_id"] / "config" / "pipeline.yaml").read_text()
    assert "clip: 3.0" in config


def test_the_root_of_the_file_system_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    for folder in ("/", tmp_path / "link"):
        done = barsmith("--json", "bundle", "list", "--workspace", folder)
        assert (done.code, done.error["code"]) == (2, "config/path")


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    from barsmith.pipeline import api

    def status(workspace: Path, run_id: str) -> Any:
        from plotly.offline import get_plotlyjs

        return get_plotlyjs()

    monkeypatch.setattr(api, "status", status)
    done = barsmith("--json", "status", "x", "--workspace", tmp_path)
    assert (done.code, done.error["code"], done.error["expected"]) == (2, "cli/missing-library", "the library plotly.offline")
