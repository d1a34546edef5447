"""`fit_model` against the bare library with the same parameters and rows, trainings in turn, five of each; one row scored by our walk and by the library; and what eight trainings on the same rows save by sharing their quantised matrix."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.boosting.quantised import shared_rows
from barsmith.parallel import cores

ROWS, FEATURES, ROUNDS, TIMES = 20_000, 100, 40, 5
NAMES = [f"f{i}" for i in range(FEATURES)]


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, FEATURES)).astype(np.float32)
    pull = X[:, 0] + X[:, 1] * X[:, 2] + random.normal(0.0, 2.0, n)
    y = (pull > 0.8).astype(np.int8) - (pull < -0.8).astype(np.int8)
    return X, y, random.uniform(0.5, 1.5, n).astype(np.float32)


X, Y, WEIGHT = drawn(ROWS, 1)
STOP_X, STOP_Y, STOP_WEIGHT = drawn(4_000, 2)


def ours(name: str, rounds: int = ROUNDS) -> Any:
    model = ModelRegistry.create(name, n_estimators=rounds, early_stopping={"patience": 1000})
    fit_model(model, X, Y, STOP_X, STOP_Y, weight_train=WEIGHT, weight_val=STOP_WEIGHT, feature_names=NAMES)
    return model


def bare_xgboost() -> Callable[[np.ndarray], Any]:
    import xgboost

    model = ModelRegistry.create("xgboost")
    train = xgboost.QuantileDMatrix(X, Y + 1, weight=WEIGHT, max_bin=256)
    stop = xgboost.QuantileDMatrix(STOP_X, STOP_Y + 1, weight=STOP_WEIGHT, ref=train, max_bin=256)
    params = model.library_params("cpu", cores(), 42)
    booster = xgboost.train(params, train, ROUNDS, evals=[(train, "train"), (stop, "stop")], verbose_eval=False, early_stopping_rounds=1000)
    return lambda row: booster.inplace_predict(row)


def bare_lightgbm() -> Callable[[np.ndarray], Any]:
    import lightgbm

    model = ModelRegistry.create("lightgbm")
    params = model.library_params("cpu", cores(), 42) | {"max_bin": 255}
    train = lightgbm.Dataset(X, Y + 1, weight=WEIGHT, params=params)
    stop = train.create_valid(STOP_X, STOP_Y + 1, weight=STOP_WEIGHT)
    seen = {"valid_sets": [train, stop], "callbacks": [lightgbm.early_stopping(1000, verbose=False)]}
    booster = lightgbm.train(params, train, ROUNDS, **seen)
    return lambda row: booster.predict(row)


def bare_catboost() -> Callable[[np.ndarray], Any]:
    import catboost

    params = ModelRegistry.create("catboost", n_estimators=ROUNDS).library_params("cpu", cores(), 42)
    booster = catboost.CatBoost(params | {"od_type": "Iter", "od_wait": 1000})
    booster.fit(catboost.Pool(X, Y + 1, weight=WEIGHT), eval_set=catboost.Pool(STOP_X, STOP_Y + 1, weight=STOP_WEIGHT))
    return lambda row: booster.predict(row, prediction_type="Probability")


BARE = {"xgboost": bare_xgboost, "lightgbm": bare_lightgbm, "catboost": bare_catboost}


def seconds(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def microseconds(action: Callable[[np.ndarray], Any], times: int) -> float:
    """The median of one row."""
    action(X[:1])
    return statistics.median(seconds(lambda row=X[i : i + 1]: action(row)) for i in range(times)) * 1e6


def shared(name: str, trainings: int = 8, rounds: int = 5) -> dict[str, float]:
    """Seconds of several short trainings on the same rows, each with its own matrix, and with one for all."""

    def together() -> None:
        with shared_rows():
            for _ in range(trainings):
                ours(name, rounds)

    own = seconds(lambda: [ours(name, rounds) for _ in range(trainings)])
    return {"own matrix s": own, "one matrix s": (one := seconds(together)), "saved of the time": 1.0 - one / own}


def measure() -> dict[str, Any]:
    """Ratios of medians; fitting in turn, so that a busy minute meets both."""
    found: dict[str, Any] = {"claim": f"Boosters: {ROWS} x {FEATURES}, {ROUNDS} rounds"}
    for name, bare in BARE.items():
        ours(name), bare()  # compiled, imported, warm
        pairs = [(seconds(lambda name=name: ours(name)), seconds(bare)) for _ in range(TIMES)]
        model, library = ours(name), bare()
        row, theirs = microseconds(lambda x, model=model: predict_model(model, x), 2000), microseconds(library, 300)
        found[name] = {
            "bare library s": statistics.median(theirs for _, theirs in pairs),
            "fit_model / bare": statistics.median(mine / theirs for mine, theirs in pairs),
            "one row us": row,
            "one row, library us": theirs,
            "eight trainings of 5 rounds": shared(name),
        }
    return found


if __name__ == "__main__":
    print(measure())
