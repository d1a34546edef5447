"""A training that is killed goes on from its last whole epoch to the same weights, bit for bit."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import killed_training
import pytest

from barsmith.errors import IntegrityError


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


def test_a_changed_checkpoint_is_refused(tmp_path):
    lines(tmp_path)
    for name in ("epoch-000008.safetensors", "checkpoint.json"):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(kept[:200] + bytes([kept[200] ^ 1]) + kept[201:])
        with pytest.raises(IntegrityError) as caught:
            lines(tmp_path)
        assert caught.value.code.startswith("integrity/")
        (tmp_path / name).write_bytes(kept)
