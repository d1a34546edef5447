"""What a run leaves in its own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from barsmith.config_reading import settings_from
from barsmith.errors import IntegrityError, UsageError
from barsmith.pipeline import run_folder
from barsmith.pipeline.run_folder import RunFolder, RunState, Sources, StageState, changed_keys, new_run_id


def test_runs_of_one_second_have_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(run_folder.datetime):
        @classmethod
        def now(cls, tz: object = None) -> run_folder.datetime:  # a clock that stands still
            return cls(2026, 11, 21, 1, 2, 3)

    monkeypatch.setattr(run_folder, "datetime", Stopped)
    assert [new_run_id(tmp_path, "MES") for _ in range(3)] == ["20261121-010203-MES", "20261121-010203-MES-2", "20261121-010203-MES-3"]
    assert new_run_id(tmp_path, "MGC") == "20261121-010203-MGC"


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 300, "con", "-dash", ".dot", "a\x00b", "a\nb", "{{7*7}}", "ＭＥＳ", "a\u202eb"])
def test_a_run_id_that_could_be_a_path_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        RunFolder(tmp_path, name)
    assert error.value.code == "config/name"
    assert error.value.came.isascii()


def test_an_unknown_run_is_told_with_the_latest_ones(tmp_path: Path) -> None:
    for run_id in ("20260101-000000-MES", "20260102-000000-MES"):
        RunFolder(tmp_path, run_id).write_state(RunState(run_id, "MES"))
    with pytest.raises(UsageError, match="the latest are 20260101-000000-MES, 20260102-000000-MES") as error:
        RunFolder.find(tmp_path, "20260103-000000-MES")
    assert error.value.code == "run/not-found"


def test_the_settings_of_a_run_and_where_they_came_from_are_read_back(tmp_path: Path) -> None:
    settings = settings_from(
        symbol="MES",
        scaling={"clip": 1e-5},
        rolls=["2026-03-12T06:00Z"],
        instruments={"NO": {"tick": 0.1, "calendar": "always", "usd_per_point": 1, "fee_per_side_usd": 0}},
        features={"params": {"rsi": {"n": [14, 21]}}},
    )
    folder = RunFolder(tmp_path, "20260101-000000-MES")
    folder.write_config(settings, Sources("own.yaml", ("random_seed=1",), {"random_seed": "--set"}))
    assert folder.config() == (settings, Sources("own.yaml", ("random_seed=1",), {"random_seed": "--set"}))


@pytest.mark.parametrize("file", ["config/pipeline.yaml", "config/sources.json", "pipeline_state.json", "manifest.json"])
def test_one_changed_byte_anywhere_in_a_runs_records_is_found(file: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "20260101-000000-MES")
    folder.write_config(settings_from(symbol="MES"), Sources())
    folder.write_state(RunState(folder.run_id, "MES", stages=[StageState("ingest", "done", 1.5, 7, "k")]))
    folder.write_manifest("manifest.json", {"keys": {"ingest": "k"}})

    def read() -> object:
        return folder.config(), folder.state(), run_folder.read_sealed(folder.folder / "manifest.json")

    read()
    path = folder.folder / file
    good = path.read_bytes()
    for at in range(0, len(good), 5):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x01]) + good[at + 1 :])
        with pytest.raises(IntegrityError):
            read()


def test_the_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    state = RunState(
        "20260101-000000-MES", "MES", "failed", "then", stages=[StageState("ingest", "failed", 0.25, None, "k")], error={"code": "x"}
    )
    folder = RunFolder(tmp_path, state.run_id)
    folder.write_state(state)
    assert folder.state() == state


def test_each_setting_that_differs_is_named_with_both_values() -> None:
    before, after = (
        settings_from(symbol="MES"),
        settings_from(symbol="MES", labels={"k_up": 2.0}, barriers={"MES": {"k_up": 1, "k_down": 1}}),
    )
    assert changed_keys(before, after) == [
        "barriers {} -> null",
        "barriers.MES.k_down null -> 1.0",
        "barriers.MES.k_up null -> 1.0",
        "barriers.MES.unit null -> 'atr'",
        "labels.k_up null -> 2.0",
    ]
    assert changed_keys(after, after) == []


def test_the_log_has_a_time_on_every_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "20260101-000000-MES")
    folder.log("one")
    folder.log("two")
    lines = (folder.folder / "logs" / "pipeline.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two"]
    assert all(line[10] == "T" and line[19] == "Z" for line in lines)
