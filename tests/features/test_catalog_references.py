"""No feature without an independent reference."""

from __future__ import annotations

import pytest
import test_catalog_candles
import test_catalog_microstructure
import test_catalog_momentum
import test_catalog_moving_averages
import test_catalog_mtf
import test_catalog_multires
import test_catalog_price
import test_catalog_statistics
import test_catalog_temporal
import test_catalog_trend
import test_catalog_volatility
import test_catalog_volume
import test_catalog_wavelets

from barsmith.features.registry import catalogue

TESTS = (
    test_catalog_candles, test_catalog_microstructure, test_catalog_momentum, test_catalog_moving_averages, test_catalog_mtf,
    test_catalog_multires, test_catalog_price, test_catalog_statistics, test_catalog_temporal, test_catalog_trend, test_catalog_volatility, test_catalog_volume, test_catalog_wavelets,
)  # fmt: skip


@pytest.mark.parametrize("module", TESTS, ids=lambda module: module.__name__)
def test_every_feature_of_a_group_is_held_against_its_formula(module):
    group = module.__name__.removeprefix("test_catalog_")
    assert set(module.EXPECTED) == {name for name, feature in catalogue().items() if feature.group == group}
