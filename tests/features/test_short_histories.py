"""A history shorter than a TA-Lib function needs is no error, wherever its arrays lie in memory."""

from __future__ import annotations

import numpy as np

from barsmith.features import close, high, low, ta

SIZE, LOOKBACK = 29, 30  # so many doubles take up, with the allocator's own eight bytes, just what TA-Lib skips in its output


def test_a_short_history_can_be_read_where_its_arrays_lie_behind_one_another():
    """TA-Lib aims its output past the end of a short one, and refuses where that happens to be the address of an input."""
    arrays = [np.linspace(100.0, 101.0, SIZE) for _ in range(2000)]
    at = {array.ctypes.data: i for i, array in enumerate(arrays)}
    followed = [(i, at[array.ctypes.data + 8 * LOOKBACK]) for i, array in enumerate(arrays) if array.ctypes.data + 8 * LOOKBACK in at]
    for first, second in followed[:200]:
        if arrays[first] is not None and arrays[second] is not None:
            x = arrays[second]
            arrays[first] = None  # the output gets the place of what was freed last
            column, _ = ta.ATR(high, low, close, timeperiod=LOOKBACK).read(x, x, x)
            assert np.isnan(column).all()
