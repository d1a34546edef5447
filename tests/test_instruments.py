"""The contracts: the numbers of the specification, and a user's own."""

from __future__ import annotations

import pytest

from barsmith.config_reading import settings_from
from barsmith.errors import UsageError
from barsmith.instruments import SHIPPED, Instrument, instrument

#                tick   USD a point  fee a side  k_up  k_down  calendar
SPECIFICATION = {
    "MES": (0.25, 5.0, 0.62, 1.5, 1.0, "equity_index"),
    "MNQ": (0.25, 2.0, 0.62, 1.5, 1.0, "equity_index"),
    "ES": (0.25, 50.0, 2.25, 1.5, 1.0, "equity_index"),
    "NQ": (0.25, 20.0, 2.25, 1.5, 1.0, "equity_index"),
    "MGC": (0.1, 10.0, 0.87, 2.0, 2.0, "metals"),
    "GC": (0.1, 100.0, 2.50, 2.0, 2.0, "metals"),
    "SI": (0.005, 5000.0, 2.50, 2.0, 2.0, "metals"),
    "CL": (0.01, 1000.0, 2.50, 2.0, 2.0, "energy"),
}


def refused(symbol: str = "MES", **settings: object) -> UsageError:
    with pytest.raises(UsageError) as error:
        instrument(symbol, settings_from(**settings))
    return error.value


def test_the_shipped_contracts_are_those_of_the_specification() -> None:
    told = {s: (c.tick, c.usd_per_point, c.fee_per_side_usd, c.k_up, c.k_down, c.calendar) for s, c in SHIPPED.items()}
    assert told == SPECIFICATION
    assert {contract.slippage_ticks for contract in SHIPPED.values()} == {1.0}


@pytest.mark.parametrize(("symbol", "usd"), [("MES", 2.49), ("MGC", 2.74), ("ES", 17.0), ("CL", 15.0)])
def test_a_round_trip_costs_two_fees_and_a_tick(symbol: str, usd: float) -> None:
    assert instrument(symbol).round_trip_usd == pytest.approx(usd)


def test_a_shipped_contract_keeps_the_numbers_that_are_not_replaced() -> None:
    own = instrument("MES", settings_from(instruments={"MES": {"fee_per_side_usd": 0.5}}))
    assert (own.fee_per_side_usd, own.tick, own.calendar, own.price_limits) == (0.5, 0.25, "equity_index", (50.0, 100_000.0))


def test_a_users_contract_needs_four_numbers() -> None:
    own = {"tick": 0.03125, "usd_per_point": 1000.0, "fee_per_side_usd": 2.5, "calendar": "always"}
    assert instrument("ZB", settings_from(instruments={"ZB": own})) == Instrument("ZB", 0.03125, 1000.0, 2.5, "always")
    error = refused("ZB", instruments={"ZB": {"tick": 0.03125, "calendar": "always"}})
    assert (error.code, error.where) == ("config/missing", "instruments.ZB")
    assert "usd_per_point, fee_per_side_usd" in error.came


def test_barriers_win_over_the_contract_and_labels_over_both() -> None:
    def barriers_of(symbol: str, **settings: object) -> tuple[float, float]:
        contract = instrument(symbol, settings_from(**settings))
        return contract.k_up, contract.k_down

    barriers = {"MES": {"k_up": 2.0, "k_down": 3.0}}
    assert barriers_of("MES", barriers=barriers) == (2.0, 3.0)
    assert barriers_of("MES", barriers=barriers, labels={"k_up": 4.0}) == (4.0, 3.0)
    assert barriers_of("MGC", barriers=barriers, labels={"k_up": 4.0}) == (4.0, 2.0)


def test_an_unknown_contract_is_told_its_nearest() -> None:
    error = refused("MEX")
    assert error.code == "config/symbol"
    assert "did you mean MES" in error.do
    with pytest.raises(UsageError) as other:
        instrument("mes", code="cli/symbol")
    assert other.value.code == "cli/symbol"
    assert "did you mean MES" in other.value.do


def test_a_contract_whose_prices_cannot_be_is_refused() -> None:
    error = refused(instruments={"MES": {"min_price": 10.0, "max_price": 10.0}})
    assert (error.code, error.came) == ("config/out-of-range", "10 and 10")
    assert refused(instruments={"MES": {"calendar": "nyse"}}).code == "config/calendar"
    assert refused(instruments={"MES": {"tick": 0.0}}).code == "config/out-of-range"


def test_a_distance_is_never_taken_in_another_unit_than_its_own() -> None:
    barriers = {"MES": {"k_up": 20.0, "k_down": 16.0, "unit": "ticks"}}
    found = instrument("MES", settings_from(barriers=barriers))
    assert (found.k_up, found.k_down, found.barrier_unit) == (20.0, 16.0, "ticks")
    one = instrument("MES", settings_from(barriers=barriers, labels={"k_up": 30.0, "k_down": 30.0, "unit": "ticks"}))
    assert (one.k_up, one.k_down, one.barrier_unit) == (30.0, 30.0, "ticks")
    both = instrument("MES", settings_from(barriers=barriers, labels={"k_up": 2.0, "k_down": 3.0}))
    assert (both.k_up, both.k_down, both.barrier_unit) == (2.0, 3.0, "atr")
    with pytest.raises(UsageError, match="set both, or labels.unit: ticks") as caught:
        instrument("MES", settings_from(barriers=barriers, labels={"k_up": 2.0}))
    assert caught.value.code == "config/inconsistent"
    assert instrument("MGC", settings_from(barriers=barriers, labels={"k_up": 4.0})).k_up == 4.0, "another contract's ticks harm nobody"
