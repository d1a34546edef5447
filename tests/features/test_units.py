"""What the catalogue calls bounded or a flag stays within -1 to 1, since such columns may pass the scaling untouched."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.datasets.kinds import columns_of_kind
from barsmith.datasets.scaling import ROUNDING
from barsmith.features.registry import catalogue

KINDS = columns_of_kind(("flags", "bounded"), [one.entry("5m") for one in catalogue().values()])


@pytest.mark.parametrize("market", ["ordinary", "awkward"])
def test_a_bounded_column_keeps_its_bounds_and_a_flag_its_states(market, request):
    seen = request.getfixturevalue(market)
    for name, kind in KINDS.items():
        values = seen.column(name)[seen.first_settled(name) :]
        values = values[np.isfinite(values)]
        assert (np.abs(values) <= 1.0 + ROUNDING).all(), f"{name} reaches {np.abs(values).max()}"
        assert kind == "bounded" or np.isin(values, (-1.0, 0.0, 1.0)).all(), name
