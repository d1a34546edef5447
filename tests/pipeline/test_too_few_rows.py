"""A file too short for purge, embargo and horizon: how many rows would do, and which setting asks for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from barsmith.config import SplitSettings
from barsmith.errors import DataError
from barsmith.pipeline.api import run
from barsmith.pipeline.stages.splits import refuse_short_test
from barsmith.splits.calendar import draw_calendar

HORIZONS = {"5": {"max_bars": 10}, "20": {"max_bars": 40}}


@pytest.mark.parametrize(
    ("embargo", "eats"), [(1440, "embargo_bars + purge_bars = 1500 in val"), (490, "embargo_bars + purge_bars = 550 in val")]
)
def test_purge_and_embargo_that_eat_a_split_are_named_with_the_rows_that_would_do(embargo: int, eats: str, copied: Path) -> None:
    """The small market has 3,312 base bars, 15 % of them are 496."""
    with pytest.raises(DataError) as short:
        run(copied, symbol="MES", overrides=[f"splits.embargo_bars={embargo}"])
    assert short.value.code == "splits/empty"
    assert eats in short.value.do
    needed = int(re.search(r"at least (\d+) base bars", short.value.do)[1])  # type: ignore[index]
    assert needed > 3312
    assert min(draw_calendar(needed, embargo_bars=embargo).counts().values()) > 0


def test_a_test_split_without_a_single_label_is_refused_before_anything_is_trained(copied: Path) -> None:
    """Of 3,312 base bars an embargo of 420 leaves [2318 + 420, 2848 - 60) = 50 in val and [2848 + 420, 3312) = 44 in test."""
    shares = ["splits.val_pct=0.16", "splits.test_pct=0.14", "splits.embargo_bars=420"]
    with pytest.raises(DataError) as short:
        run(copied, symbol="MES", overrides=[*shares, "label_horizons=[5, 60]"])
    assert (short.value.code, short.value.came) == ("splits/empty", "44 after an embargo of 420")
    assert "horizon 60 look 60 bars ahead" in short.value.expected
    assert f"at least {(60 + 420) * 100 // 14 + 1} base bars" in short.value.do


@pytest.mark.parametrize(("embargo", "rows"), [(0, 40), (0, 1), (100, 39), (1440, 12)])
def test_the_rows_that_would_do_are_the_fewest(embargo: int, rows: int) -> None:
    settings = SplitSettings(embargo_bars=embargo)
    with pytest.raises(DataError) as short:
        refuse_short_test(rows, HORIZONS, settings)
    assert "horizon 20 look 40 bars ahead" in short.value.expected
    assert "label_horizons or labels.max_bars" in short.value.do
    needed = int(re.search(r"at least (\d+) base bars", short.value.do)[1])  # type: ignore[index]
    assert [n - int(0.85 * n + 1e-9) - embargo for n in (needed - 1, needed)] == [40, 41]
    refuse_short_test(41, HORIZONS, settings)
