"""A training that is killed goes on from its last whole epoch to the same weights, bit for bit."""

from __future__ import annotations

import importlib.util
import io
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import killed_training

from barsmith.models import ModelRegistry
from barsmith.models.neural import checkpoint


def lines(folder: Path, seed: int = 42) -> list[str]:
    """What a training in this process prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        killed_training.main(folder, 0.0, seed)
    return out.getvalue().splitlines()


def test_a_killed_training_ends_with_the_weights_of_one_that_was_left_alone(tmp_path):
    command = [sys.executable, killed_training.__file__, str(tmp_path / "killed"), "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        seen = [child.stdout.readline().strip() for _ in range(3)]
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert seen == ["epoch 1", "epoch 2", "epoch 3"]
    alone, went_on = lines(tmp_path / "alone"), lines(tmp_path / "killed")
    assert [line for line in alone if line.startswith("epoch")] == [f"epoch {n}" for n in range(1, 9)]
    assert went_on[0] in ("epoch 4", "epoch 5")  # not from the beginning
    assert went_on[-1] == alone[-1]
    assert lines(tmp_path / "killed") == alone[-1:]  # finished: nothing is learned again


def test_a_checkpoint_of_another_training_is_written_over(tmp_path):
    lines(tmp_path / "here", seed=1)
    again = lines(tmp_path / "here", seed=2)
    assert again[0] == "epoch 1"
    assert again == lines(tmp_path / "elsewhere", seed=2)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["checkpoint.json", "epoch-000008.safetensors"]


def test_a_damaged_checkpoint_is_set_aside_and_training_begins_anew_and_says_so(tmp_path):
    alone = lines(tmp_path / "alone")
    for number, name in enumerate(("epoch-000008.safetensors", "checkpoint.json")):
        here = tmp_path / "here"
        lines(here)
        kept = (here / name).read_bytes()
        damaged = kept[:200] + bytes([kept[200] ^ 1]) + kept[201:] if number else kept[:-1]
        (here / name).write_bytes(damaged)
        again = lines(here)
        aside = tmp_path / ("here.damaged" if not number else "here.damaged-2")
        assert again[0].startswith("epoch 1")
        assert again[-2].startswith("DAMAGED CHECKPOINT: ")
        assert str(aside) in again[-2]
        assert again[-1] == alone[-1]
        assert (aside / name).read_bytes() == damaged
        assert lines(here) == alone[-1:]  # the new one is whole


def test_a_checkpoint_of_other_code_is_not_continued(tmp_path, monkeypatch):
    first = lines(tmp_path)
    model, versions = checkpoint.code_of(ModelRegistry.get("lstm")), {}
    for name in ("barsmith.__version__", "torch.__version__", "numpy.__version__"):
        with monkeypatch.context() as changed:
            changed.setattr(name, "0.0")
            versions[name] = checkpoint.code_of(ModelRegistry.get("lstm"))
    assert all(told != model for told in versions.values())
    monkeypatch.setattr(Path, "read_bytes", lambda path, read=Path.read_bytes: read(path) + b"#" * (path.name == "trainer.py"))
    assert lines(tmp_path) == first


def test_a_users_own_file_is_code_and_a_typed_class_never_the_same(tmp_path):
    own = {}
    for text in ("class Mine: pass\n", "class Mine: ...\n"):
        (tmp_path / "mine.py").write_text(text)
        spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
        sys.modules["mine"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        own[text] = checkpoint.code_of(module.Mine)
        assert checkpoint.code_of(module.Mine) == own[text]
        del sys.modules["mine"]
    assert len({told["code"] for told in own.values()}) == 2
    typed = type("Typed", (), {"__module__": "nowhere"})
    assert checkpoint.code_of(typed) != checkpoint.code_of(typed)
