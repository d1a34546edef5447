"""Raw bars of the rungs: each is the rung's last finished bar, over the base close."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import agree
from test_catalog_mtf import seen

from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS

RUNGS = ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h")


def over_close(market, timeframe, price):
    return seen(market, timeframe, market.bars[timeframe][price]) / market.bars["5m"]["close"] - 1


EXPECTED = {
    f"multires_{price}_{t}": lambda m, price=price, t=t: over_close(m, t, price)
    for price in ("open", "high", "low", "close")
    for t in RUNGS
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_price_of_a_rung_is_that_of_its_last_finished_bar(name, ordinary):
    agree(ordinary, name, EXPECTED[name](ordinary), tolerance=1e-8)


def test_nine_rungs_of_four_prices_know_nothing_of_days():
    group = {name: each for name, each in catalogue().items() if each.group == "multires"}
    assert len(group) == 9 * 4
    assert {t for each in group.values() for t in each.timeframes} == set(RUNGS)


def test_the_base_closes_where_it_closes(ordinary):
    assert (ordinary.column("multires_close_5m") == 0).all()


def test_the_prices_of_a_rung_can_be_had_back_from_the_base_close(ordinary):
    close = ordinary.bars["5m"]["close"]
    hours, ends = ordinary.bars["1h"], ordinary.ends["5m"]
    at = np.searchsorted(ordinary.ends["1h"], ends, "right") - 1
    found = (ordinary.column("multires_high_1h") + 1) * close
    np.testing.assert_allclose(found[at >= 0], hours["high"][at[at >= 0]], rtol=1e-14)


@pytest.mark.parametrize("base", ["15m", "1h"])
def test_on_a_higher_base_the_lower_rungs_are_those_that_end_with_it(base, ordinary):
    names = ["multires_close_1m", "multires_close_5m", f"multires_close_{base}"]
    plan = Plan({name: catalogue()[name].expr for name in names}, base=base, sessions=SESSIONS)
    assert (plan.read(ordinary.minutes).matrix == 0).mean() > 0.99  # one close; but for bars whose last minutes have no trades
