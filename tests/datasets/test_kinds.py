"""Kinds of columns by their units."""

from __future__ import annotations

import pytest

from barsmith.datasets.kinds import columns_of_kind, kind_of
from barsmith.features.registry import catalogue


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("-1, 0 or 1", "flags"),
        ("-1 or 1", "flags"),
        ("-1 low, 0 normal, 1 high", "flags"),
        ("1 trending, 0 ranging, -1 reversal", "flags"),
        ("0..1", "bounded"),
        ("-1..1", "bounded"),
        ("-1..0", "bounded"),
        ("0..1 in equal steps", "bounded"),
        ("probability", "bounded"),
        ("0..1 between the bands", None),
        ("0..1 inside", None),
        ("about -1..1", None),
        ("share, about 0..1", None),
        ("1 is Lambert's 100", None),
        ("log return, 0 and more", None),
        ("0..100", None),
        ("minutes", None),
        ("", None),
    ],
)
def test_a_unit_says_what_a_column_can_be(unit, kind):
    assert kind_of(unit) == kind


def test_only_the_kinds_that_are_asked_for_pass():
    entries = [one.entry("5m") for one in catalogue().values()]
    flags, bounded, both = (columns_of_kind(kinds, entries) for kinds in (["flags"], ["bounded"], ["flags", "bounded"]))
    assert flags["trend_alignment_1h"] == "flags"
    assert bounded["rsi_14"] == bounded["hour_sin"] == "bounded"
    assert both == flags | bounded
    assert columns_of_kind([], entries) == {}
    assert not set(both) & {"log_return_1", "bollinger_position_20", "cci_20"}
