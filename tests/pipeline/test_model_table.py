"""The README's table of models is made from trainings that are there, of one data run, with their intervals."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from barsmith.errors import IntegrityError
from barsmith.pipeline.api import run, train
from small_market import MODEL

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_model_table", ROOT / "tools" / "make_model_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_model_table"] = module
    spec.loader.exec_module(module)
    return module


def test_each_model_has_a_line_with_its_newest_training_and_the_baselines_stand_below(tool: ModuleType, copied: Path) -> None:
    logistic = train(copied, model="logistic")
    found = tool.trainings(copied, "MES", 20)
    assert list(found) == ["xgboost", "logistic"]
    lines = tool.table(found)
    val = logistic.splits["val"]
    low, high = val.intervals["accuracy"]
    cell = f"{val.metrics['accuracy']:.3f} [{low:.3f}, {high:.3f}]".replace("0.", ".")
    assert lines[3].startswith(f"| logistic | {cell} |")
    assert [line.split(" | ")[0] for line in lines[4:]] == [f"| {label}" for label in tool.BASELINES.values()]
    assert f"| *time of day* | {val.baselines['time_of_day']['accuracy']:.3f}".replace("0.", ".") in lines[-1]
    [sentence] = tool.summary(found, "MES", 20)
    changed = " and ".join(sorted(text.partition(".")[2].replace("=", " ") for text in MODEL))  # of the small market: not what ships
    assert f"settings as they ship but {changed} for xgboost, " in sentence
    assert "2 configurations have been scored" in sentence
    assert f"({len(val.part):,} rows)" in sentence


def test_skill_is_claimed_only_with_a_whole_interval(tool: ModuleType) -> None:
    assert [tool.whole(interval, above=0.5) for interval in ([0.51, 0.6], [0.49, 0.6], None)] == [True, False, False]
    assert [tool.whole(interval, below=0.0) for interval in ([-0.2, -0.1], [-0.2, 0.0])] == [True, False]


def test_trainings_of_different_data_make_no_table(tool: ModuleType, copied: Path) -> None:
    run(copied, symbol="MES", overrides=["random_seed=7", "splits.purge_bars=80"])
    train(copied, model="logistic")
    with pytest.raises(SystemExit, match="different data"):
        tool.trainings(copied, "MES", 20)
    with pytest.raises(SystemExit, match="no training of MGC"):
        tool.trainings(copied, "MGC", 20)


def test_a_changed_file_is_found_before_it_is_believed(tool: ModuleType, copied: Path) -> None:
    told = train(copied, model="xgboost", overrides=MODEL)
    file = told.run_dir / "metrics" / "training_metrics.json"
    file.write_bytes(file.read_bytes().replace(b"0.", b"1.", 1))
    with pytest.raises(IntegrityError):
        tool.trainings(copied, "MES", 20)


def test_the_table_stands_between_the_marks_of_the_readme(tool: ModuleType) -> None:
    text = f"above\n{tool.BEGIN}\nold\n{tool.END}\nbelow\n"
    assert tool.written(text, ["new"]) == f"above\n{tool.BEGIN}\nnew\n{tool.END}\nbelow\n"
    with pytest.raises(SystemExit, match="write both"):
        tool.written("no marks", ["new"])
