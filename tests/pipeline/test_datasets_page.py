"""What docs/datasets.md shows works as it is written there, on the data of a run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_market import SmallMarket

IMPORT = "from torch.utils.data import DataLoader\n"
PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


class StandInLoader:
    """What torch.utils.data.DataLoader does with a map-style data set: drawn rows, fetched at once, collated field by field."""

    def __init__(self, dataset: Any, batch_size: int, shuffle: bool) -> None:
        order = np.random.default_rng(0).permutation(len(dataset)) if shuffle else np.arange(len(dataset))
        self.batches = [order[i : i + batch_size].tolist() for i in range(0, len(order), batch_size)]
        self.dataset = dataset

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        for rows in self.batches:
            yield [np.stack(field) for field in zip(*self.dataset.__getitems__(rows), strict=True)]


def test_the_code_of_the_page_runs_and_says_what_it_says(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(market.workspace)
    known: dict[str, Any] = {}
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(code) == 4
    assert IMPORT in code[2]
    if importlib.util.find_spec("torch") is None:
        known["DataLoader"], code[2] = StandInLoader, code[2].replace(IMPORT, "")
    for block in code:
        exec(block, known)
    assert known["seen"] == len(known["windows"].train)
    assert 0 <= known["target"].min() <= known["target"].max() <= 2
    assert 0.2 < known["accuracy"] < 1.0
    assert known["some"].shape == (3, 30, len(known["windows"].feature_names))
