"""A foreign bundle is opened in a process of its own first: what it does to that one does not reach this one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from forging import forge_bytes

from barsmith.errors import IntegrityError
from barsmith.pipeline.api import train
from barsmith.serving import trial
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from small_market import SmallMarket

#: A user's model whose file decides what loading it does.
TRAP = """
import os, time
from pathlib import Path
import numpy as np
from barsmith.models import BaseModel, PredictionOutput, register

@register(name="trap", family="classical")
class Trap(BaseModel):
    \"\"\"The shares of the classes. Source: own.\"\"\"

    def fit(self, X_train, y_train, X_val, y_val):
        self.shares = np.array([(y_train == k).mean() for k in (-1, 0, 1)])

    def predict(self, X):
        return PredictionOutput.of(np.tile(self.shares, (len(X), 1)))

    def save(self, folder):
        super().save(folder)
        (Path(folder) / "mood.txt").write_text("fine")

    @classmethod
    def load(cls, folder):
        mood = (Path(folder) / "mood.txt").read_text()
        if mood == "crash":
            os.abort()
        if mood == "leave":
            os._exit(0)
        if mood == "hang":
            time.sleep(1000)
        if mood == "memory":
            np.zeros(9 << 30, np.uint8)
        return super().load(folder)
"""


@pytest.fixture
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("barsmith.serving.bundle.is_known", trial.is_known)


def opened(workspace: Path, folder: Path, mood: str) -> str:
    """How it ends when the trap is loaded in that mood."""
    forge_bytes(folder, "model/mood.txt", mood.encode())
    with pytest.raises(IntegrityError) as error:
        Bundle.load(folder, workspace=workspace)
    assert error.value.code == "bundle/load-failed"
    return error.value.came


@pytest.mark.usefixtures("_nothing_is_known")
def test_what_a_foreign_bundle_does_to_its_process_does_not_reach_this_one(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copied / "models").mkdir()
    (copied / "models" / "trap.py").write_text(TRAP)
    folder = create_bundle(train(copied, model="trap").run_dir, "trap", copied).folder
    assert opened(copied, folder, "crash") == "one that ended it by signal 6"
    assert opened(copied, folder, "leave") == "one that ended it with 0"
    assert opened(copied, folder, "memory") == "one that wants more than 8 GiB"
    monkeypatch.setattr(trial, "PATIENCE", 4.0)
    began = time.monotonic()
    assert opened(copied, folder, "hang") == "one that has not opened after 4 seconds"
    assert time.monotonic() - began < 20.0


@pytest.mark.usefixtures("_nothing_is_known")
def test_a_foreign_bundle_is_tried_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []
    real = trial.try_in_child
    monkeypatch.setattr("barsmith.serving.bundle.try_in_child", lambda *given: tried.append(given[0]) or real(*given))
    first, second = Bundle.load(folder), Bundle.load(folder)
    assert (tried, first.record.digest) == ([folder], second.record.digest)
    assert trial.known_file().read_text() == f"{first.record.digest}\n"


@pytest.mark.usefixtures("_nothing_is_known")
def test_what_the_child_finds_wrong_is_told_as_it_was_found(folder: Path) -> None:
    forge_bytes(folder, "model/booster.json", b"{}")
    with pytest.raises(IntegrityError) as alone:
        Bundle.load(folder, trusted=True)
    with pytest.raises(IntegrityError) as tried:
        Bundle.load(folder)
    assert (
        (tried.value.code, tried.value.expected) == (alone.value.code, alone.value.expected) == ("bundle/structure", alone.value.expected)
    )
    assert not trial.known_file().exists()


@pytest.mark.usefixtures("_nothing_is_known")
def test_a_bundle_made_here_is_known(market: SmallMarket) -> None:
    created = create_bundle(market.training.run_dir, "again", market.workspace)
    assert trial.is_known(created.record.digest)


@pytest.mark.usefixtures("_nothing_is_known")
def test_where_nothing_can_be_remembered_it_is_opened_all_the_same(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert Bundle.load(folder).record.name == "small"
