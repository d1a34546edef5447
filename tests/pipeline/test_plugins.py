"""Models that are not ours, from the guide's own text: a user's file, windows, another package; trained, bundled and served like shipped ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from barsmith.models.discovery import forget
from barsmith.pipeline.api import train
from barsmith.pipeline.training_result import Training
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from barsmith.testing.models import check_model

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "add_a_model.md").read_text()
#: {file of the guide: its text}.
FILES = {found[1]: found[0] for found in re.findall(r"```python\n(# models/(\w+\.py)\n.*?)```", GUIDE, re.S)}
#: The imports and the signature as they stand in the user's documents.
LITERAL = ('@register(name="my_model", family="boosting")', "def fit(self, X_train, y_train, X_val, y_val, **kwargs):")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    forget()


def served(workspace: Path, training: Training) -> Bundle:
    """A bundle of the training, whose stream says what its batch reading says, bit for bit."""
    bundle = create_bundle(training.run_dir, "mine", workspace)
    bars = pl.read_parquet(workspace / "data" / "raw" / "MES_1m.parquet")
    signals = bundle.predict(bars.tail(1200))
    assert signals["signal"].drop_nulls().is_in([-1, 0, 1]).all()
    assert signals["confidence"].drop_nulls().len() > 100
    found = parity(bundle, bars.tail(600))
    assert (found.mismatches, found.bars > 60) == (0, True)
    return bundle


def test_the_first_example_is_ten_lines_and_the_documents_own(copied: Path) -> None:
    """Named in the settings, from a file that stands anywhere in the workspace."""
    text = FILES["my_model.py"]
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 10
    assert all(words in text for words in LITERAL)
    (copied / "my_model.py").write_text(text)
    with (copied / "config" / "pipeline.yaml").open("a") as file:
        file.write("models: {modules: [my_model.py]}\n")
    from barsmith.pipeline.api import run

    run(copied, symbol="MES")
    training = train(copied, model="my_model")
    frequencies = training.splits["val"].baselines["train_frequencies"]["log_loss"]
    assert training.splits["val"].metrics["log_loss"] == pytest.approx(frequencies, abs=0.05)
    bundle = served(copied, training)
    assert [entry.path for entry in bundle.record.model_code] == ["my_model.py"]


def test_the_example_with_parameters_keeps_every_promise_and_is_served(copied: Path, tmp_path: Path) -> None:
    place(copied, "nearest.py")
    training = train(copied, model="nearest_mean", overrides=["training.temperature=5"])
    assert training.params.temperature == 5
    check_model("nearest_mean", tmp_path / "checks")
    served(copied, training)


def test_the_example_with_windows_is_served(copied: Path) -> None:
    place(copied, "slope.py")
    training = train(copied, model="slope", overrides=["training.seq_len=20"])
    assert training.container.train.X.shape[1] == 20
    assert len({tuple(row) for row in training.splits["val"].output.probabilities.tolist()}) == 2
    bundle = served(copied, training)
    assert bundle.record.window.length == 20


def place(workspace: Path, name: str) -> None:
    (workspace / "models").mkdir()
    (workspace / "models" / name).write_text(FILES[name])


THEIRS = '''
import numpy as np
from barsmith.models import BaseModel, ModelParams, PredictionOutput, register

@register(name="theirs", family="classical")
class Theirs(BaseModel):
    """The sign of the first feature, with a confidence of one's own choice. Source: their_package."""

    class Params(ModelParams):
        boldness: float = 0.2

    def fit(self, X_train, y_train, X_val, y_val):
        self.n = len(X_train)

    def predict(self, X):
        up = np.where(X[:, 0] > 0, self.params.boldness, -self.params.boldness)
        return PredictionOutput.of(np.column_stack((0.3 - up / 2, np.full(len(X), 0.4), 0.3 + up / 2)))
'''
STEPS = """
import contextlib, io, json, sys
from pathlib import Path
from barsmith.cli import main

def said(*words):
    out = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(out):
        code = main(["--json", *words, "--workspace", sys.argv[1]])
    answer = json.loads(out.buffer.getvalue())
    assert code == 0, answer
    return answer

told = {"before": [one for one in said("models", "list")["models"] if one["name"] == "theirs"], "loaded": "their_package" in sys.modules}
told["described"] = said("models", "describe", "theirs")
trained = said("train", "--model", "theirs", "--set", "training.boldness=0.1")
told["loss"] = trained["metrics"]["val"]["log_loss"]
said("bundle", "create", "--run", trained["run_dir"], "--name", "theirs")
told["predicted"] = said("predict", "--bundle", f"{sys.argv[1]}/bundles/theirs", "--bars", f"{sys.argv[1]}/data/raw/MES_1m.parquet", "--out", f"{sys.argv[1]}/signals.parquet")
print(json.dumps(told))
"""


def installed(site: Path) -> None:
    """A package as an installer leaves it: its module beside a .dist-info with metadata, record and entry points."""
    (site / "their_package").mkdir(parents=True)
    (site / "their_package" / "__init__.py").write_text("")
    (site / "their_package" / "theirs.py").write_text(THEIRS)
    about = site / "their_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[barsmith.models]\ntheirs = their_package.theirs:Theirs\n")
    (about / "RECORD").write_text("their_package/__init__.py,,\ntheir_package/theirs.py,,\n")


def test_the_model_of_another_package_is_listed_trained_bundled_and_served(copied: Path, tmp_path: Path) -> None:
    installed(tmp_path / "site")
    path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", STEPS, str(copied)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert [(one["origin"], one["family"]) for one in told["before"]] == [("their-package", "")]
    assert not told["loaded"]
    assert (told["described"]["source"], told["described"]["parameters"][0]["key"]) == ("their_package.", "training.boldness")
    assert 0.5 < told["loss"] < 2.0
    signals = pl.read_parquet(copied / "signals.parquet")
    assert signals["confidence"].drop_nulls().unique().to_list() == [0.4]
    record = json.loads((copied / "bundles" / "theirs" / "bundle.json").read_text())
    assert record["model_code"] == []  # a package is installed, not looked for in the workspace
    assert record["versions"]["their-package"] == "1.2"
    metadata = tmp_path / "site" / "their_package-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))
    notes = "from barsmith.serving.bundle import Bundle; import sys; print(*Bundle.load(sys.argv[1]).notes)"
    command = [sys.executable, "-c", notes, str(copied / "bundles" / "theirs")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, cwd=copied, check=True)
    assert "bundle/versions" in done.stdout
    assert "their-package 1.2 -> 1.3" in done.stdout
