"""barsmith: raw one-minute futures bars in, an honestly judged model and live signals out.

import barsmith as bs
bars = bs.read_bars("MES.csv", symbol="MES", timezone="UTC", timestamps="close")
bs.run(symbol="MES")                              # data/raw -> features, labels, splits
result = bs.train(model="xgboost", horizon=20)    # -> experiments/runs/...
bs.Bundle.load("bundles/mes").predict(bars)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Bundle", "__version__", "read_bars", "run", "train"]

#: Where the public names live; each is imported when it is first asked for, so that `import barsmith` stays quick.
HOMES = {
    "read_bars": "barsmith.bars.reading",
    "run": "barsmith.pipeline.api",
    "train": "barsmith.pipeline.api",
    "Bundle": "barsmith.serving.bundle",
}

if TYPE_CHECKING:
    from barsmith.bars.reading import read_bars
    from barsmith.pipeline.api import run, train
    from barsmith.serving.bundle import Bundle


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'barsmith' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(HOMES[name]), name)
