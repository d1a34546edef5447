"""What docs/datasets.md shows works as it is written there, on the data of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from small_market import SmallMarket

IMPORT = "from torch.utils.data import DataLoader\n"
PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_code_of_the_page_runs_and_says_what_it_says(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(market.workspace)
    known: dict[str, Any] = {}
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(code) == 4
    assert IMPORT in code[2]
    for block in code:
        exec(block, known)
    assert known["seen"] == len(known["windows"].train)
    assert 0 <= known["target"].min() <= known["target"].max() <= 2
    assert 0.2 < known["accuracy"] < 1.0
    assert known["some"].shape == (3, 30, len(known["windows"].feature_names))
