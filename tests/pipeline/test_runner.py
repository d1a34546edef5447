"""The runner, with stages small enough to follow by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from barsmith.config import LabelSettings, Settings
from barsmith.errors import DataError, IntegrityError
from barsmith.pipeline.run_folder import RunFolder, RunState, StageState, new_run_id
from barsmith.pipeline.runner import PEAK_OF_STAGE, PEAK_SO_FAR, Runner, plan
from barsmith.pipeline.stage import Given, Stage, in_order, stage
from barsmith.pipeline.store import Store

CALLS: list[str] = []


@dataclass(frozen=True)
class Numbers:
    frame: pl.DataFrame
    note: dict[str, int]


@dataclass(frozen=True)
class Halves:
    parts: dict[str, pl.DataFrame]


@stage
def numbers(raw: list[int]) -> Numbers:
    CALLS.append("numbers")
    return Numbers(pl.DataFrame({"x": raw}), {"sum": sum(raw)})


@stage(unlisted=True)
def calendar(numbers: Numbers) -> Numbers:
    return numbers


@stage
def scaled(numbers: Numbers, settings: LabelSettings) -> Numbers:
    CALLS.append("scaled")
    if settings.k_up == 66:
        raise DataError("labels/unlucky", expected="a lucky number", came="66", do="choose another")
    return Numbers(numbers.frame * (settings.k_up or 1.0), {})


@stage
def halves(scaled: Numbers, calendar: Numbers, random_seed: int) -> Halves:
    CALLS.append("halves")
    if random_seed == 64:
        bytearray(b"x" * (64 << 20)).count(b"y")
    if random_seed == 13:
        raise KeyboardInterrupt
    return Halves({"first": scaled.frame.head(2), "second": scaled.frame.tail(1)} if random_seed else {"first": scaled.frame})


STAGES = [numbers, scaled, halves, calendar]


def run(workspace: Path, raw: list[int] | None = None, redo_from: str | None = None, only: str | None = None, **settings: object) -> Runner:
    CALLS.clear()
    raw = raw or [1, 2, 3]
    steps = plan(STAGES, Settings(**settings), {"raw": Given(raw, str(raw))})
    run_id = new_run_id(workspace, "MES")
    state = RunState(run_id, "MES", stages=[StageState(s.stage.name) for s in steps if not s.stage.unlisted])
    runner = Runner(steps, Store(workspace, "MES"), RunFolder(workspace, run_id), state)
    with runner.store.locked():
        runner.run(redo_from=redo_from, only=only)
    return runner


def statuses(runner: Runner) -> dict[str, str]:
    return {line.name: line.status for line in runner.state.stages}


def test_each_stage_says_how_much_memory_it_took(tmp_path: Path) -> None:
    """64 MiB more than the others, freed before the next stage: only the stage that held them says so."""
    runner = run(tmp_path, random_seed=64)
    peaks = {line.name: line.peak_mib for line in runner.state.stages}
    assert all(peak is not None and peak > 1 for peak in peaks.values())
    if runner.state.memory == PEAK_OF_STAGE:
        assert peaks["halves"] - peaks["scaled"] > 50
        assert run(tmp_path, random_seed=64).state.stages[-1].peak_mib < peaks["halves"] - 50
    else:
        assert runner.state.memory == PEAK_SO_FAR


def test_a_second_run_computes_nothing_and_gives_the_same_values(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert CALLS == ["numbers", "scaled", "halves"]
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.parquet")}
    second = run(tmp_path)
    assert CALLS == []
    assert statuses(second) == {"numbers": "cached", "scaled": "cached", "halves": "cached"}
    assert second.value("halves").parts["second"].equals(first.value("halves").parts["second"])
    assert second.value("numbers").note == {"sum": 6}
    assert before == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.parquet")}


def test_a_changed_setting_is_felt_by_the_stages_that_read_it_and_by_those_after_them(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, labels={"k_up": 2.0})
    assert CALLS == ["scaled", "halves"]
    run(tmp_path, labels={"k_up": 2.0}, random_seed=7)
    assert CALLS == ["halves"]
    run(tmp_path, labels={"k_up": 2.0}, random_seed=7, purge_bars=90)  # nobody reads it
    assert CALLS == []


def test_other_raw_data_begins_at_the_beginning(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, raw=[4, 5, 6])
    assert CALLS == ["numbers", "scaled", "halves"]


def test_redo_from_computes_that_stage_and_all_later_ones(tmp_path: Path) -> None:
    run(tmp_path)
    runner = run(tmp_path, redo_from="scaled")
    assert CALLS == ["scaled", "halves"]
    assert statuses(runner)["numbers"] == "cached"


def test_an_artifact_with_a_flipped_byte_is_made_again_and_never_read(tmp_path: Path) -> None:
    runner = run(tmp_path)
    path = tmp_path / "data" / "stages" / "MES" / "scaled" / "frame.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    with pytest.raises(IntegrityError, match="SHA-256"):
        Runner(runner.steps, runner.store, runner.folder, runner.state).value("scaled")
    again = run(tmp_path)
    assert statuses(again) == {"numbers": "cached", "scaled": "done", "halves": "cached"}
    assert path.read_bytes() == good
    assert "frame.parquet was changed after it was written" in (again.folder.folder / "logs" / "pipeline.log").read_text()


def test_a_failing_stage_leaves_the_earlier_ones_and_its_old_files(tmp_path: Path) -> None:
    run(tmp_path)
    path = tmp_path / "data" / "stages" / "MES" / "scaled" / "frame.parquet"
    good = path.read_bytes()
    with pytest.raises(DataError):
        run(tmp_path, labels={"k_up": 66.0})
    assert path.read_bytes() == good
    failed = max((tmp_path / "runs").iterdir())
    state = json.loads((failed / "pipeline_state.json").read_text())
    assert state["status"] == "failed"
    assert [line["status"] for line in state["stages"]] == ["cached", "failed", "pending"]
    assert state["error"]["code"] == "labels/unlucky"
    run(tmp_path)
    assert CALLS == []


def test_an_interrupted_run_is_recorded_as_stopped_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, random_seed=13)
    state = json.loads((max((tmp_path / "runs").iterdir()) / "pipeline_state.json").read_text())
    assert (state["status"], state["stages"][-1]["status"]) == ("stopped", "stopped")
    run(tmp_path, random_seed=12)
    assert CALLS == ["halves"]


def test_files_that_a_new_result_does_not_have_are_removed(tmp_path: Path) -> None:
    run(tmp_path)
    folder = tmp_path / "data" / "stages" / "MES" / "halves" / "parts"
    assert sorted(path.name for path in folder.iterdir()) == ["first.parquet", "second.parquet"]
    run(tmp_path, random_seed=0)
    assert [path.name for path in folder.iterdir()] == ["first.parquet"]


def test_the_artifacts_of_one_symbol_cannot_be_read_as_anothers(tmp_path: Path) -> None:
    runner = run(tmp_path)
    entry = runner.store.entries()["numbers"]
    (tmp_path / "data" / "stages" / "MES").rename(tmp_path / "data" / "stages" / "MGC")
    other = Store(tmp_path, "MGC")
    with pytest.raises(IntegrityError, match="the state of MGC"):
        other.entries()
    moved = {name.replace("/MES/", "/MGC/"): record for name, record in entry.files.items()}
    with pytest.raises(IntegrityError) as caught:
        other.read("numbers", Numbers, type(entry)(entry.key, 0.0, None, moved))
    assert caught.value.code == "integrity/symbol"


def test_stages_stand_after_what_they_need(tmp_path: Path) -> None:
    assert [one.name for one in in_order([halves, scaled, calendar, numbers])] == ["numbers", "scaled", "calendar", "halves"]


def test_stages_that_need_each_other_and_parameters_that_nobody_makes_are_refused() -> None:
    def one(two: Numbers) -> Numbers: ...

    def two(one: Numbers) -> Numbers: ...

    def three(banana: int) -> Numbers: ...

    circle = [Stage(f.__name__, f, {p: Numbers}, Numbers) for f, p in ((one, "two"), (two, "one"))]
    with pytest.raises(ValueError, match="need each other: one, two"):
        in_order(circle)
    with pytest.raises(ValueError, match="needs banana"):
        plan([Stage("three", three, {"banana": int}, Numbers)], Settings(), {})


def test_a_stage_cannot_put_into_json_what_json_would_change(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    with pytest.raises(TypeError, match="read back"):
        store.write("numbers", Numbers(pl.DataFrame({"x": [1]}), {1: 2}))  # type: ignore[dict-item]
