"""Barriers of four horizons searched over a year of bars: 4 x 100 trials on one core, beside Optuna's own overhead."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np

import barsmith as bs
from barsmith.artifacts import write_parquet
from barsmith.bars.simulate import simulate
from barsmith.config import LabelSettings
from barsmith.instruments import instrument
from barsmith.labels import tuning
from barsmith.pipeline.run_data import load_run_data
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.ga_optimize import ga_optimize
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.mtf import FeatureTable

TURNS = 3


def optuna_alone() -> float:
    """Seconds of four studies of 100 trials whose score costs nothing."""
    began = time.perf_counter()
    for child in np.random.SeedSequence(1).spawn(4):
        study = tuning.study("tpe", child, 100)
        for _ in range(100):
            trial = study.ask()
            asked = tuning.suggested(trial, tuning.Barriers(1.5, 1.0, 20), 40)
            study.tell(trial, asked.k_up - asked.k_down)
    return time.perf_counter() - began


def measure(days: int = 257) -> dict:
    """Median seconds of the stage, of its search without the searches on shifted features, and of Optuna alone."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write_parquet(workspace / "data" / "raw" / "MES_1m.parquet", simulate("MES", days=days, seed=3, edge=0.0, paths=0).bars)
        bs.run(workspace, symbol="MES", overrides=["labels.tune=false"])
        data = load_run_data(workspace, "MES")
        inputs = {
            name: data.value(name, made)
            for name, made in (("clean", CleanMinutes), ("calendar", Calendar), ("mtf", FeatureTable), ("labeling", RawLabels))
        }
    contract = instrument("MES", data.settings)
    more = {"instrument": contract, "barriers": (contract.k_up, contract.k_down, "atr"), "hours": data.settings.sessions, "base": "5m"}

    def stage() -> float:
        began = time.perf_counter()
        ga_optimize(**inputs, **more, random_seed=1, settings=LabelSettings())
        return time.perf_counter() - began

    whole, search, alone = [], [], []
    stage()  # kernels are compiled
    for _ in range(TURNS):
        whole.append(stage())
        alone.append(optuna_alone())
        shifts, tuning.SHIFTS = tuning.SHIFTS, 0
        search.append(stage())
        tuning.SHIFTS = shifts
    return {
        "claim": "4 x 100 trials of barriers with the probe",
        "training rows": int(inputs["calendar"].split["counts"]["train"]),
        "features": len(inputs["mtf"].names),
        "search with the first-passage table and the probe's preparation, seconds": round(float(np.median(search)), 2),
        "of it Optuna alone, seconds": round(float(np.median(alone)), 2),
        f"the same with {tuning.SHIFTS} searches on shifted features, seconds": round(float(np.median(whole)), 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
