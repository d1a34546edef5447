"""The doors of a clone: `./pipeline` and the scripts, also where barsmith is not installed for the Python that starts them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from command import process

ROOT = Path(__file__).parents[2]
DOORS = {"pipeline": "demo", "scripts/train_model.py": "--open-test", "scripts/batch_inference.py": "--bars"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with its doors, and a .venv whose python is this one."""
    shutil.copy(ROOT / "pipeline", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("python", [[sys.executable], [sys.executable, "-S"]], ids=["installed", "not installed"])
def test_a_door_opens_for_any_python(door: str, python: list[str], clone: Path) -> None:
    done = process(door, "--help", launch=python, cwd=clone)
    assert (done.returncode, done.stderr) == (0, b"")
    assert DOORS[door] in done.stdout.decode()


def test_the_pipeline_starts_by_itself(clone: Path) -> None:
    done = process(launch=["./pipeline", "--version"], cwd=clone)
    assert done.returncode == 0
    assert re.match(rb"barsmith \d", done.stdout)


def test_a_door_hands_over_its_arguments_and_its_exit_code(clone: Path) -> None:
    done = process("--json", "--model", "x y", "--horizon", "0", launch=[sys.executable, "-S", "scripts/train_model.py"], cwd=clone)
    assert done.returncode == 2
    assert b'"cli/type"' in done.stdout


def test_a_clone_without_its_environment_says_what_to_do(clone: Path) -> None:
    shutil.rmtree(clone / ".venv")
    done = process("status", "x", launch=[sys.executable, "-S", "pipeline"], cwd=clone)
    assert done.returncode == 1
    assert b"run `make install`" in done.stderr
    assert b"Traceback" not in done.stderr
