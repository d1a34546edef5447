"""A stage's key changes with the code it runs, and with no other."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from barsmith.pipeline import code
from barsmith.pipeline.stages import STAGE_NAMES, all_stages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of barsmith's sources, which the hashes are taken of."""
    copy = shutil.copytree(code.ROOT, tmp_path / "barsmith", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", copy)
    return copy


def hashes(package: Path, file: str, text: str = "\n# changed\n") -> set[str]:
    """The stages whose hash changes with this file."""
    sources = code.Sources()
    before = {one.name: sources.hash_of(one.function) for one in all_stages()}
    with (package / file).open("a") as source:
        source.write(text)
    sources = code.Sources()
    return {one.name for one in all_stages() if sources.hash_of(one.function) != before[one.name]}


def test_a_change_is_felt_by_the_stages_that_import_the_file_however_far_away(package: Path) -> None:
    assert hashes(package, "bars/minutes.py") >= {"ingest", "clean", "sessions", "features", "labeling"}
    assert "ingest" not in hashes(package, "labels/barriers.py")


def test_the_pages_of_the_report_are_the_reports_business(package: Path) -> None:
    assert hashes(package, "pipeline/data_report.py") == {"reporting"}


@pytest.mark.parametrize("file", ["cli/app.py", "serving/bundle.py", "models/base.py", "pipeline/runner.py", "pipeline/training.py"])
def test_what_no_stage_runs_changes_no_key(file: str, package: Path) -> None:
    assert hashes(package, file) == set()


def test_a_new_file_of_the_catalogue_is_felt_though_nobody_imports_it_by_name(package: Path) -> None:
    changed = hashes(package, "features/catalog/one_more.py", '"""One more group."""\n')
    assert {"features", "mtf"} <= changed
    assert not changed & {"ingest", "clean", "labeling"}


def test_a_corrected_holiday_is_felt_by_all_that_know_the_calendar(package: Path) -> None:
    assert {"clean", "sessions", "labeling", "features"} <= hashes(package, "bars/calendars/exceptions.csv", "\n")


def test_imports_for_the_type_checker_alone_and_relative_ones_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "looked_at.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "import barsmith.errors\n"
        "if TYPE_CHECKING:\n    from barsmith.ledger import Ledger\n"
        "def late():\n    from barsmith.bars.minutes import Minutes\n    from barsmith import instruments\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("looked_at")
    found = set(code.Sources().modules_of("looked_at"))
    assert {"looked_at", "barsmith.errors", "barsmith.bars.minutes", "barsmith.instruments", "barsmith.config"} <= found
    assert "barsmith.ledger" not in found


def test_the_listed_stages_are_those_of_the_graph_in_its_order() -> None:
    assert tuple(one.name for one in all_stages() if not one.unlisted) == STAGE_NAMES
