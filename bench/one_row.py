"""One row from each model, as a live bar asks for it, beside the library that trained it.

    .venv/bin/python bench/one_row.py

Random rows of 150 features, 3,000 of them learned from (windows of 60 rows for models that read sequences: one epoch, which changes the numbers and not the
work). Each model as it ships, but for the trees of the forest. Both sides get the same prepared float32 row; calls alternate in one process.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.models import BaseModel, ModelRegistry, fit_model, save_model
from barsmith.models.registry import SHIPPED

ROWS, FEATURES, LENGTH, RUNGS = 3000, 150, 60, 9
CALLS = 2000
SHORT = {"max_epochs": 1}
SHAPES = {"tabular": (FEATURES,), "sequence": (LENGTH, FEATURES), "multires": (RUNGS, LENGTH, 4)}


def measure(names: tuple[str, ...] = ()) -> dict:
    """{name: {"p50 us", "p99 us", "library p50 us", "ratio"}}; a model whose library is missing or that cannot be trained here says why."""
    found: dict[str, Any] = {
        "claim": "one row, from prepared numbers to probabilities",
        "calls": CALLS,
        "features": FEATURES,
        "window": LENGTH,
    }
    for name in names or SHIPPED:
        info = ModelRegistry.info(name)
        if not info.is_installed or info.reads == "predictions":
            continue
        model = fitted(name)
        row = rows(info.reads, 1, seed=2)
        theirs = library(name, model, row)
        calls = [lambda model=model, row=row: model.predict(row), *([theirs] if theirs else [])]
        ours, *library_times = alternating(calls, CALLS if info.reads == "tabular" else CALLS // 10)
        found[name] = {"p50 us": percentile(ours, 50), "p99 us": percentile(ours, 99)}
        if library_times:
            found[name] |= {"library p50 us": percentile(library_times[0], 50)}
            found[name]["ratio, library / ours"] = round(found[name]["library p50 us"] / found[name]["p50 us"], 1)
    return found


def rows(reads: str, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *SHAPES[reads])).astype(np.float32)


def fitted(name: str) -> BaseModel:
    cls = ModelRegistry.get(name)
    reads = cls.info.reads
    n = ROWS if reads == "tabular" else ROWS // 10
    X = rows(reads, n, seed=1)
    pull = X.reshape(n, -1)[:, :3].sum(axis=1) + np.random.default_rng(3).normal(size=n)
    y = (pull > 1).astype(np.int8) - (pull < -1).astype(np.int8)
    params = {key: value for key, value in SHORT.items() if key in cls.Params.names()}
    model = cls(cls.Params.of(params))
    width = SHAPES[reads][-1]
    fit_model(model, X, y, None, None, feature_names=[f"f{i}" for i in range(width)])
    return model


def library(name: str, model: BaseModel, row: np.ndarray) -> Callable[[], Any] | None:
    """The same trees asked by the library that grew them; None where there is none to compare with."""
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder))
        if name == "xgboost":
            import xgboost

            booster = xgboost.Booster(model_file=f"{folder}/booster.json")
            booster.set_param({"nthread": 1})
            return lambda: booster.inplace_predict(row)
        if name == "lightgbm":
            import lightgbm

            light = lightgbm.Booster(model_file=f"{folder}/booster.txt")
            return lambda: light.predict(row, num_threads=1)
        if name == "catboost":
            import catboost

            cat = catboost.CatBoost().load_model(f"{folder}/booster.json", format="json")
            return lambda: cat.predict(row, prediction_type="Probability", thread_count=1)
    return None


def alternating(calls: list[Callable[[], Any]], repeats: int) -> list[np.ndarray]:
    """Seconds of each call, taken in turn."""
    for call in calls:
        for _ in range(20):
            call()
    taken = np.empty((len(calls), repeats))
    for i in range(repeats):
        for k, call in enumerate(calls):
            began = time.perf_counter()
            call()
            taken[k, i] = time.perf_counter() - began
    return list(taken)


def percentile(seconds: np.ndarray, which: int) -> float:
    return round(float(np.percentile(seconds, which)) * 1e6, 1)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
