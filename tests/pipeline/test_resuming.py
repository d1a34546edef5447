"""Taking up a run again: with which settings, and what a killed run is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_runner import STAGES

from barsmith.config import Settings
from barsmith.config_reading import load_settings
from barsmith.errors import UsageError
from barsmith.pipeline.resuming import settings_now, true_state
from barsmith.pipeline.run_folder import RunFolder, RunState, Sources, StageState
from barsmith.pipeline.runner import Step, plan
from barsmith.pipeline.stage import Given
from barsmith.pipeline.store import Store

RUN = "20260101-000000-MES"


def steps_of(settings: Settings) -> list[Step]:
    return plan(STAGES, settings, {"raw": Given([1], "1")})


def left(workspace: Path, *statuses: str, overrides: tuple[str, ...] = (), config: str | None = None, status: str = "done") -> RunFolder:
    """A run of `numbers`, `scaled` (reads labels) and `halves` (reads random_seed)."""
    folder = RunFolder(workspace, RUN)
    loaded = load_settings(workspace, overrides=overrides, environment={})
    folder.write_config(loaded.settings.for_symbol("MES"), Sources(config, overrides, loaded.winners))
    lines = [StageState(name, one) for name, one in zip(("numbers", "scaled", "halves"), statuses, strict=True)]
    folder.write_state(RunState(RUN, "MES", status, stages=lines))
    return folder


def edit(workspace: Path, text: str) -> None:
    (workspace / "config").mkdir(exist_ok=True)
    (workspace / "config" / "pipeline.yaml").write_text(text)


def test_a_run_goes_on_with_the_words_of_its_command_line(tmp_path: Path) -> None:
    left(tmp_path, "done", "done", "pending", overrides=("random_seed=7",))
    settings, sources = settings_now(tmp_path, RUN, steps_of, None)
    assert (settings.symbol, settings.random_seed, sources.winners["random_seed"]) == ("MES", 7, "--set")


def test_a_change_that_feeds_a_finished_stage_is_refused_with_the_difference_and_the_way_on(tmp_path: Path) -> None:
    left(tmp_path, "done", "done", "pending")
    edit(tmp_path, "labels: {k_up: 2}\nrandom_seed: 7")
    with pytest.raises(UsageError) as error:
        settings_now(tmp_path, RUN, steps_of, None)
    assert error.value.code == "config/changed"
    assert error.value.came == "labels.k_up null -> 2.0; random_seed 42 -> 7"
    assert error.value.do.endswith(f"rerun {RUN} --from scaled")
    with pytest.raises(UsageError):
        settings_now(tmp_path, RUN, steps_of, "halves")


@pytest.mark.parametrize("redo_from", ["scaled", "numbers"])
def test_a_change_that_feeds_only_what_is_made_again_is_taken(redo_from: str, tmp_path: Path) -> None:
    left(tmp_path, "done", "done", "done")
    edit(tmp_path, "labels: {k_up: 2}")
    settings, sources = settings_now(tmp_path, RUN, steps_of, redo_from)
    assert (settings.labels.k_up, sources.winners["labels.k_up"]) == (2.0, "config/pipeline.yaml")


def test_a_change_that_feeds_no_finished_stage_is_taken(tmp_path: Path) -> None:
    left(tmp_path, "done", "done", "stopped")
    edit(tmp_path, "random_seed: 7\nscaling: {clip: 3}")  # halves did not finish; nobody reads clip
    assert settings_now(tmp_path, RUN, steps_of, None)[0].random_seed == 7


def test_settings_from_standard_input_are_those_of_the_run(tmp_path: Path) -> None:
    left(tmp_path, "done", "done", "done", overrides=("random_seed=5",), config="-")
    edit(tmp_path, "random_seed: 7\nlabels: {k_up: 2}")
    assert settings_now(tmp_path, RUN, steps_of, None)[0].random_seed == 5


def test_a_run_that_was_killed_is_stopped(tmp_path: Path) -> None:
    left(tmp_path, "done", "running", "pending", status="running")
    assert true_state(tmp_path, RUN).status == "stopped"
    assert [line.status for line in true_state(tmp_path, RUN).stages] == ["done", "stopped", "pending"]


def test_a_run_is_running_while_its_process_holds_the_data_and_no_later_run_does(tmp_path: Path) -> None:
    left(tmp_path, "done", "running", "pending", status="running")
    with Store(tmp_path, "MES").locked():
        assert true_state(tmp_path, RUN).status == "running"
        RunFolder(tmp_path, "20260101-000001-MGC").write_state(RunState("20260101-000001-MGC", "MGC"))
        assert true_state(tmp_path, RUN).status == "running"
        RunFolder(tmp_path, "20260101-000001-MES").write_state(RunState("20260101-000001-MES", "MES"))
        assert true_state(tmp_path, RUN).status == "stopped"
