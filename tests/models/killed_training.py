"""A child's side of test_network_killed: a training with a checkpoint, killed by its parent or left to end.

Usage: python killed_training.py FOLDER SECONDS_AN_EPOCH; it prints a line for each epoch and the digest of the weights.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from drawn_windows import drawn_answers, windows

from barsmith.models import ModelRegistry, fit_model, predict_model


def main(folder: Path, pause: float, seed: int = 42) -> None:
    view = windows(200)
    y, weight = drawn_answers(np.asarray(view))

    def tell(done: float, total: int, losses: dict[str, float]) -> None:
        print(f"epoch {done:g}", flush=True)
        time.sleep(pause)

    model = ModelRegistry.create("lstm", hidden=5, layers=2, dropout=0.3, max_epochs=8, n_jobs=1)
    keywords = {"weight_train": weight[:150], "feature_names": list("abcd"), "progress": tell, "checkpoint": folder, "seed": seed}
    told = fit_model(model, view.take(slice(0, 150)), y[:150], view.take(slice(150, 200)), y[150:], **keywords)
    for note in told.notes:
        if note.startswith("DAMAGED"):  # these rows tell little, which is noted too
            print(note, flush=True)
    bits = [tensor.numpy().tobytes() for tensor in model._network.state_dict().values()]
    answers = predict_model(model, view).probabilities.tobytes()
    print(hashlib.sha256(b"".join([*bits, answers, str(told.history).encode()])).hexdigest(), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
