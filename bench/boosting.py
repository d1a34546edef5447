"""`fit_model` against the bare library with the same parameters, rows, weights and evaluation, trainings in turn, at two sizes: a small one, where what is ours weighs
most, and one as a year of 5m bars has it, with the shipped 300 rounds. Beside it one row scored by our walk and by the library, and what trials on the same rows save by
sharing their quantised matrix."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.boosting.lightgbm import matrix_params
from barsmith.models.boosting.quantised import shared_rows
from barsmith.parallel import cores

Bare = Callable[[np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class Size:
    """Drawn rows and how often and how long boosters are trained on them."""

    rows: int
    features: int
    rounds: int
    times: int

    def drawn(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        X = random.normal(size=(n, self.features)).astype(np.float32)
        pull = X[:, 0] + X[:, 1] * X[:, 2] + random.normal(0.0, 2.0, n)
        y = (pull > 0.8).astype(np.int8) - (pull < -0.8).astype(np.int8)
        return X, y, random.uniform(0.5, 1.5, n).astype(np.float32)


class Market:
    """The rows of one size, and both ways to train on them."""

    def __init__(self, size: Size) -> None:
        self.size, self.names = size, [f"f{i}" for i in range(size.features)]
        self.X, self.y, self.weight = size.drawn(size.rows, 1)
        self.stop_X, self.stop_y, self.stop_weight = size.drawn(size.rows // 5, 2)

    def ours(self, name: str, rounds: int | None = None) -> Any:
        model = ModelRegistry.create(name, n_estimators=rounds or self.size.rounds, early_stopping={"patience": 1000})
        weights = {"weight_train": self.weight, "weight_val": self.stop_weight}
        fit_model(model, self.X, self.y, self.stop_X, self.stop_y, **weights, feature_names=self.names)
        return model

    def bare(self, name: str) -> Bare:
        return {"xgboost": self.xgboost, "lightgbm": self.lightgbm, "catboost": self.catboost}[name]()

    def xgboost(self) -> Bare:
        import xgboost

        params = ModelRegistry.create("xgboost").library_params("cpu", cores(), 42)
        train = xgboost.QuantileDMatrix(self.X, self.y + 1, weight=self.weight, max_bin=256)
        stop = xgboost.QuantileDMatrix(self.stop_X, self.stop_y + 1, weight=self.stop_weight, ref=train, max_bin=256)
        seen = {"evals": [(train, "train"), (stop, "stop")], "verbose_eval": False, "early_stopping_rounds": 1000}
        booster = xgboost.train(params, train, self.size.rounds, **seen)
        return lambda row: booster.inplace_predict(row)

    def lightgbm(self) -> Bare:
        import lightgbm

        params = matrix_params(255, cores()) | ModelRegistry.create("lightgbm").library_params("cpu", cores(), 42)
        train = lightgbm.Dataset(self.X, self.y + 1, weight=self.weight, params=params)
        stop = train.create_valid(self.stop_X, self.stop_y + 1, weight=self.stop_weight)
        seen = {"valid_sets": [train, stop], "callbacks": [lightgbm.early_stopping(1000, verbose=False)]}
        booster = lightgbm.train(params, train, self.size.rounds, **seen)
        return lambda row: booster.predict(row)

    def catboost(self) -> Bare:
        import catboost

        params = ModelRegistry.create("catboost", n_estimators=self.size.rounds).library_params("cpu", cores(), 42)
        booster = catboost.CatBoost(params | {"od_type": "Iter", "od_wait": 1000})
        stop = catboost.Pool(self.stop_X, self.stop_y + 1, weight=self.stop_weight)
        booster.fit(catboost.Pool(self.X, self.y + 1, weight=self.weight), eval_set=stop)
        return lambda row: booster.predict(row, prediction_type="Probability")

    def against(self, name: str, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
        """Ratio of the sums, and the difference of the medians; in turn, so that a busy minute meets both."""
        pairs = [(seconds(lambda: self.ours(name), clock), seconds(lambda: self.bare(name), clock)) for _ in range(self.size.times)]
        mine, theirs = (list(each) for each in zip(*pairs, strict=True))
        added = statistics.median(mine) - statistics.median(theirs)
        return {"bare library s": statistics.median(theirs), "fit_model / bare": sum(mine) / sum(theirs), "added ms": added * 1e3}

    def shared(self, name: str, trials: int = 4) -> dict[str, float]:
        """Seconds of trials on the same rows, each with its own matrix, and with one for all."""

        def together() -> None:
            with shared_rows():
                for _ in range(trials):
                    self.ours(name)

        own = seconds(lambda: [self.ours(name) for _ in range(trials)])
        return {"own matrix s": own, "one matrix s": (one := seconds(together)), "saved of the time": 1.0 - one / own}


SMALL, YEAR = Size(20_000, 100, 40, 7), Size(60_000, 150, 300, 3)
NAMES = ("xgboost", "lightgbm", "catboost")


def seconds(action: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    action()
    return clock() - began


def microseconds(action: Callable[[np.ndarray], Any], X: np.ndarray, times: int) -> float:
    """The median of one row."""
    action(X[:1])
    return statistics.median(seconds(lambda row=X[i : i + 1]: action(row)) for i in range(times)) * 1e6


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {"claim": "Boosters against the bare libraries"}
    small = Market(SMALL)
    for name in NAMES:
        model, library = small.ours(name), small.bare(name)  # compiled, imported, warm
        found[name] = {
            f"{SMALL.rows:,} x {SMALL.features}, {SMALL.rounds} rounds": small.against(name),
            "one row us": microseconds(lambda x, model=model: predict_model(model, x), small.X, 2000),
            "one row, library us": microseconds(library, small.X, 300),
            f"four trials of {SMALL.rounds} rounds": small.shared(name),
        }
    year = Market(YEAR)
    for name in NAMES:
        found[name][f"{YEAR.rows:,} x {YEAR.features}, {YEAR.rounds} rounds"] = year.against(name)
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["--cpu"]:  # of one core, where the machine is busy: taskset -c 0 python bench/boosting.py --cpu
        market = Market(SMALL)
        for name in NAMES:
            market.ours(name), market.bare(name)
            print(name, market.against(name, time.process_time), flush=True)
    else:
        print(measure())
