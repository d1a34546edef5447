"""What a dry run says: the same as what the run then does, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_runner import CALLS, STAGES, run, statuses

from barsmith.config import Settings
from barsmith.errors import UsageError
from barsmith.pipeline.explaining import changed, changed_files, decisions, differences, given_difference, needed
from barsmith.pipeline.runner import Step, plan
from barsmith.pipeline.stage import Given
from barsmith.pipeline.store import Store


def steps(raw: list[int] | None = None, **settings: object) -> list[Step]:
    raw = raw or [1, 2, 3]
    return plan(STAGES, Settings(**settings), {"raw": Given(raw, str(raw))})


def said(workspace: Path, some: list[Step], **asked: str) -> dict[str, list[str]]:
    """Stage -> why it would be made; the cached ones are left out."""
    return {one.name: list(one.why) for one in decisions(some, Store(workspace, "MES"), **asked) if one.why}


def files(workspace: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in workspace.rglob("*") if path.is_file()}


def test_in_an_empty_workspace_everything_would_be_made_and_nothing_is_written(tmp_path: Path) -> None:
    assert said(tmp_path, steps()) == {name: ["it was never finished here"] for name in ("numbers", "scaled", "calendar", "halves")}
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_a_finished_run_says_that_all_is_cached_and_touches_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    before = files(tmp_path)
    with Store(tmp_path, "MES").locked():  # somebody is at work: no lock is needed
        assert said(tmp_path, steps()) == {}
    assert {k: v for k, v in files(tmp_path).items() if "lock" not in k} == {k: v for k, v in before.items() if "lock" not in k}


def test_the_setting_that_changed_is_named_with_both_values_and_later_stages_name_their_input(tmp_path: Path) -> None:
    run(tmp_path)
    assert said(tmp_path, steps(labels={"k_up": 2.0})) == {
        "scaled": ["labels.k_up null -> 2.0"],
        "halves": ["its input scaled is another"],
    }
    assert said(tmp_path, steps(random_seed=7)) == {"halves": ["random_seed 42 -> 7"]}
    assert said(tmp_path, steps(purge_bars=90)) == {}  # nobody reads it


def test_other_raw_data_is_named(tmp_path: Path) -> None:
    run(tmp_path)
    found = said(tmp_path, steps(raw=[4, 5, 6]))
    assert found["numbers"] == ["raw '[1, 2, 3]' -> '[4, 5, 6]'"]
    assert list(found) == ["numbers", "scaled", "calendar", "halves"]


def test_a_changed_source_file_and_another_library_are_named(tmp_path: Path) -> None:
    run(tmp_path)
    stale = []
    for step in steps():
        code = dict(step.made_of["code"])
        code["test_runner"] = "another"
        made_of = {**step.made_of, "code": code, "versions": {**step.made_of["versions"], "numpy": "0.1"}}
        stale.append(replace(step, key="x" + step.key, made_of=made_of))
    why = said(tmp_path, stale)["scaled"]
    assert why[0].startswith("numpy '2") or why[0].startswith('numpy "2')
    assert why[0].endswith("0.1'") or why[0].endswith('0.1"')
    assert why[1] == "code: test_runner changed"


def test_a_file_changed_on_the_disk_is_named(tmp_path: Path) -> None:
    run(tmp_path)
    path = tmp_path / "data/stages/MES/scaled/frame.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "data/stages/MES/halves/parts/first.parquet").unlink()
    assert said(tmp_path, steps()) == {
        "scaled": ["data/stages/MES/scaled/frame.parquet was changed after it was written"],
        "halves": ["data/stages/MES/halves/parts/first.parquet was changed after it was written"],
    }


def test_what_is_forced_says_by_which_option(tmp_path: Path) -> None:
    run(tmp_path)
    assert said(tmp_path, steps(), redo_from="scaled") == {name: ["asked for: --from scaled"] for name in ("scaled", "calendar", "halves")}
    assert said(tmp_path, steps(), only="scaled") == {"scaled": ["asked for: --only scaled"]}


@pytest.mark.parametrize("changes", [{}, {"labels": {"k_up": 2.0}}, {"random_seed": 7}, {"raw": [7, 8]}, {"redo_from": "scaled"}])
def test_a_run_does_what_the_dry_run_said(changes: dict[str, object], tmp_path: Path) -> None:
    run(tmp_path)
    asked = {key: value for key, value in changes.items() if key == "redo_from"}
    others = {key: value for key, value in changes.items() if key != "redo_from"}
    would = {one.name for one in decisions(steps(**others), Store(tmp_path, "MES"), **asked) if one.why and not one.unlisted}
    runner = run(tmp_path, **changes)
    assert {name for name, status in statuses(runner).items() if status == "done"} == would
    lines = {line.name: line.why for line in runner.state.stages}
    assert {name for name, why in lines.items() if why} == would
    state = json.loads((runner.folder.folder / "pipeline_state.json").read_text())
    assert {line["name"] for line in state["stages"] if line["why"]} == would


def test_without_the_record_of_what_a_stage_was_made_of_that_is_said(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "data/stages/MES/scaled/made_of.json").unlink()
    found = said(tmp_path, steps(labels={"k_up": 2.0}))["scaled"]
    assert "missing or changed" in found[0]
    assert said(tmp_path, steps())["scaled"] == ["data/stages/MES/scaled/made_of.json was changed after it was written"]


def test_only_makes_one_stage_again_and_no_later_one(tmp_path: Path) -> None:
    run(tmp_path)
    CALLS.clear()
    runner = run(tmp_path, only="scaled")
    assert CALLS == ["scaled"]
    assert statuses(runner)["halves"] == "pending"
    run(tmp_path)
    assert CALLS == []


def test_only_refuses_where_a_stage_that_it_needs_is_stale_and_names_it(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UsageError) as error:
        run(tmp_path, labels={"k_up": 2.0}, only="halves")
    assert (error.value.code, error.value.came) == ("run/stale", "scaled (labels.k_up null -> 2.0)")
    assert CALLS == []
    run(tmp_path, labels={"k_up": 2.0}, only="scaled")  # reads numbers alone
    assert CALLS == ["scaled"]


def test_the_stages_that_one_needs_reach_back_to_the_beginning() -> None:
    assert [step.stage.name for step in needed(steps(), "halves")] == ["numbers", "scaled", "calendar"]
    assert needed(steps(), "numbers") == []


def test_a_record_from_outside_differs_by_its_parts_and_a_file_by_the_first_digits_of_its_hash() -> None:
    assert list(given_difference("instrument", '{"tick":0.25,"k":1}', '{"tick":0.5,"k":1}')) == ["instrument.tick 0.25 -> 0.5"]
    assert list(given_difference("raw_file", "a" * 64, "b" * 64)) == ["raw_file SHA-256 aaaaaaaaaaaa... -> SHA-256 bbbbbbbbbbbb..."]
    assert list(given_difference("rolls", "[1]", "[1]")) == []
    assert changed({"a": {"b": 1}}, {"a": {"b": 2}, "c": 3}) == ["a.b 1 -> 2", "c null -> 3"]
    assert changed_files({"a": "1", "b": "1"}, {"b": "2", "c": "1"}) == ["a is gone", "b changed", "c is new"]


def test_nothing_differs_from_itself() -> None:
    made_of = steps()[1].made_of
    assert list(differences(made_of, made_of)) == []
