"""`barsmith demo`: a market whose truth is known, walked from raw minutes to live signals, with everything said out loud."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.bars.minutes import as_minutes
from barsmith.bars.reading import read_bars
from barsmith.bars.simulated_files import write_simulated
from barsmith.errors import UsageError
from barsmith.pipeline.api import run, train
from barsmith.pipeline.training_result import Training
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import Parity, parity

SYMBOL, DAYS, SEED, EDGE, HORIZON, PATHS = "MES", 128, 7, 0.1, 20, 256
MARK = ".barsmith-demo"

#: Told what begins, and the share done where it is known.
Tell = Callable[[str, float | None], None]


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo made: the data run's record, the training, the bundle and the proof that its stream equals its batch."""

    folder: Path
    run: dict[str, Any]
    training: Training
    bundle: Path
    parity: Parity
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "run": self.run,
            "train": self.training.as_dict(),
            "report": str(self.training.run_dir / "plots" / "report.html"),
            "bundle": str(self.bundle),
            "parity": self.parity.as_dict(),
            "seconds": round(self.seconds, 1),
        }


def demo(folder: Path, tell: Tell) -> Demo:
    """Simulate six months of MES minutes with a planted edge, run the pipeline, train XGBoost, bundle it, stream its last session.

    folder: made anew each time; one that holds something else is refused (UsageError `demo/folder`).
    """
    started = time.perf_counter()
    fresh(folder)
    tell(f"simulating {DAYS} sessions of {SYMBOL} minutes with an edge of {EDGE} volatilities a bar", None)
    raw = write_simulated(
        folder, SYMBOL, days=DAYS, seed=SEED, edge=EDGE, paths=PATHS, progress=lambda share: tell("simulating the true odds", share)
    )
    tell("running the data pipeline", None)
    record = run(folder, symbol=SYMBOL, overrides=["labels.tune=false"])  # the true odds are of the contract's own barriers
    tell(f"training XGBoost for horizon {HORIZON}", None)
    training = train(
        folder, model="xgboost", symbol=SYMBOL, horizon=HORIZON, progress=lambda done, total, _: tell("training XGBoost", done / total)
    )
    tell("building the bundle", None)
    made = create_bundle(training.run_dir, "demo", folder)
    tell("streaming the last session through the bundle, bar by bar", None)
    bars = read_bars(raw, symbol=SYMBOL)
    number = made.sessions.number(int(as_minutes(bars["datetime"])[-1]))
    last = bars.filter(as_minutes(bars["datetime"]) >= int(made.sessions.opens[number]))
    found = parity(Bundle.load(made.folder, workspace=folder), last)
    return Demo(folder, record, training, made.folder, found, time.perf_counter() - started)


def fresh(folder: Path) -> None:
    """An empty folder for the demo; an earlier demo's is replaced."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise UsageError(
                "demo/folder",
                expected="an empty folder, or an earlier demo's",
                came="one with other files",
                do="choose another --workspace",
                where=str(folder),
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by `barsmith demo`, which replaces it\n")
