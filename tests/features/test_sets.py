"""Which features each set has, a user's own list, and what is said about a set that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from barsmith.config import FeatureSettings
from barsmith.errors import UsageError
from barsmith.features.events import Events, with_events
from barsmith.features.registry import Feature, catalogue
from barsmith.features.sets import MINIMAL, SETS, chosen_from
from barsmith.pipeline.stages.features import chosen_features

SHIPPED = catalogue()
OWN = """
from barsmith.features import close, feature, lag, on

@feature
def mine():
    return close / lag(close, 1)

@feature
def mine_on_1h():
    return on("1h", close / lag(close, 1))
"""


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Feature]:
    """The catalogue, two features of a user's and an event."""
    (tmp_path / "own.py").write_text(OWN)
    return with_events(catalogue([tmp_path / "own.py"]), Events({"cpi": [0]}))


def names(known: dict[str, Feature], *wanted: str, drop: tuple[str, ...] = ()) -> set[str]:
    return set(chosen_from(known, FeatureSettings(set=wanted, drop=drop)))


def refused(**settings: object) -> UsageError:
    with pytest.raises(UsageError) as error:
        chosen_from(SHIPPED, FeatureSettings(**settings))
    return error.value


def test_tabular_is_the_default_and_everything_but_the_raw_prices():
    assert FeatureSettings().set == ("tabular",)
    assert chosen_from(SHIPPED, FeatureSettings()) == {name: one for name, one in SHIPPED.items() if one.group != "multires"}
    assert len(names(SHIPPED, "tabular")) >= 200


def test_sequence_reads_no_other_timeframe():
    found = names(SHIPPED, "sequence")
    assert len(found) >= 150
    assert {"rsi_14", "hour_sin"} <= found < names(SHIPPED, "tabular")
    assert not any(SHIPPED[name].timeframes for name in found)
    assert all(SHIPPED[name].timeframes for name in names(SHIPPED, "tabular") - found)


def test_multires_is_open_high_low_and_close_of_the_nine_rungs_of_a_day():
    rungs = ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h")
    assert names(SHIPPED, "multires") == {f"multires_{price}_{rung}" for price in ("open", "high", "low", "close") for rung in rungs}


def test_minimal_is_twenty_that_exist_of_eight_groups_or_more_settled_within_two_sessions():
    assert len(set(MINIMAL)) == 20
    assert names(SHIPPED, "minimal") == set(MINIMAL)
    assert len({SHIPPED[name].group for name in MINIMAL}) >= 8
    for name in MINIMAL:
        bars, timeframe = SHIPPED[name].warmup("5m")
        assert bars <= {"5m": 2 * 276, "1h": 2 * 23}[timeframe], name


def test_minimal_has_a_family_with_the_periods_that_were_chosen_for_it():
    params = {"rsi": {"n": (9, 21)}}
    found = chosen_from(catalogue((), params), FeatureSettings(set=("minimal",), params=params))
    assert set(found) == {*MINIMAL, "rsi_9", "rsi_21"} - {"rsi_14"}


def test_a_list_of_names_and_patterns_is_what_it_says_in_the_catalogues_order():
    found = list(chosen_from(SHIPPED, FeatureSettings(set=("roc_*", "close_zscore_50"))))
    wanted = ["close_zscore_50", *(name for name in SHIPPED if name.startswith("roc_"))]
    assert len(found) >= 4
    assert found == sorted(wanted, key=list(SHIPPED).index)


def test_sets_and_patterns_join():
    assert names(SHIPPED, "minimal", "roc_10", "hour_???") == {*MINIMAL, "roc_10"}


@pytest.mark.parametrize("name", SETS)
def test_a_users_own_features_and_events_are_in_every_named_set(own, name):
    found = names(own, name)
    assert {"mine", "event_cpi_hours_to", "event_hours_since_last"} <= found
    assert ("mine_on_1h" in found) == (name != "sequence")


def test_a_list_has_a_users_own_features_only_where_it_names_them(own):
    assert names(own, "rsi_14") == {"rsi_14"}
    assert names(own, "rsi_14", "mine*") == {"rsi_14", "mine", "mine_on_1h"}
    assert names(own, "event_*") == {"event_hours_to_next", "event_hours_since_last", "event_cpi_hours_to", "event_cpi_hours_since"}


def test_what_is_dropped_may_be_in_no_set_but_must_be_a_feature():
    assert names(SHIPPED, "minimal", drop=("ichimoku_*", "hour_*")) == set(MINIMAL) - {"hour_sin", "hour_cos"}
    error = refused(set=("minimal",), drop=("ichimoko_*",))
    assert (error.code, error.where) == ("config/unknown-name", "features.drop")


def test_rungs_that_the_ladder_lacks_are_in_no_set():
    known = catalogue((), {}, ("5m", "15m"))
    assert names(known, "multires") == {f"multires_{price}_{rung}" for price in ("open", "high", "low", "close") for rung in ("5m", "15m")}
    assert names(known, "minimal") == {name for name in MINIMAL if not SHIPPED[name].timeframes}


@pytest.mark.parametrize(("typed", "meant"), [("tabluar", "tabular"), ("rsi_41", "rsi_14"), ("multiress", "multires")])
def test_a_name_that_fits_nothing_is_refused_with_what_may_have_been_meant(typed, meant):
    error = refused(set=("minimal", typed))
    assert (error.code, error.where, error.came) == ("config/unknown-name", "features.set", repr(typed))
    assert f"did you mean {meant}" in error.do or f" {meant}" in error.do


def test_a_pattern_that_fits_nothing_is_refused():
    assert refused(set=("rsj_*",)).code == "config/unknown-name"


@pytest.mark.parametrize("settings", [{"set": ()}, {"drop": ("*",)}, {"set": ("rsi_14",), "drop": ("rsi_*",)}])
def test_a_set_that_leaves_nothing_is_refused(settings):
    assert refused(**settings).code == "features/none"


def test_a_run_computes_the_chosen_set(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    found = chosen_features(FeatureSettings(set=("minimal",), drop=("adx_14",)), [tmp_path / "own.py"], ("5m",), "5m", Events({"cpi": [0]}))
    kept = {name for name in MINIMAL if not SHIPPED[name].timeframes} - {"adx_14"}
    assert set(found) == {*kept, "mine", "event_hours_to_next", "event_hours_since_last", "event_cpi_hours_to", "event_cpi_hours_since"}
