"""The catalogue page and the record of measured settling say what the registry says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from barsmith.features import close, lag
from barsmith.features.catalogue_page import beginning, catalogue_page
from barsmith.features.formula import formula
from barsmith.features.registry import catalogue
from barsmith.features.settled import Settled, fingerprints, measure, record, settled

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"
AGAIN = "run .venv/bin/python tools/make_catalogue.py"
FEATURES = catalogue()


def test_the_page_is_what_the_registry_and_the_record_give():
    written, made = PAGE.read_text().splitlines(), catalogue_page(FEATURES, record()).splitlines()
    other = [line for line in made if line not in set(written)] + [line for line in written if line not in set(made)]
    assert not other, AGAIN
    assert written == made, AGAIN


def test_every_feature_was_measured_as_it_is_defined_now():
    marks = fingerprints(FEATURES)
    assert list(record()) == list(FEATURES), AGAIN
    stale = [name for name, one in record().items() if one.fingerprint != marks[name]]
    assert not stale, AGAIN


def test_no_feature_needs_more_bars_than_it_declares():
    late = {name: one for name, one in record().items() if not 0 <= one.measured <= one.declared}
    assert not late


def test_a_feature_that_is_new_or_gone_or_told_otherwise_changes_the_page():
    page = PAGE.read_text()
    more = FEATURES | {"new": dataclasses.replace(FEATURES["rsi_14"], name="new")}
    fewer = {name: one for name, one in FEATURES.items() if name != "rsi_14"}
    told = FEATURES | {"rsi_14": dataclasses.replace(FEATURES["rsi_14"], unit="percent")}
    other = FEATURES | {"rsi_14": dataclasses.replace(FEATURES["rsi_14"], expr=close - lag(close, 14))}
    for features in (more, fewer, told, other):
        assert catalogue_page(features, record()) != page


def test_another_definition_under_a_measured_name_has_no_record():
    assert settled(FEATURES["rsi_14"]) == record()["rsi_14"]
    assert settled(dataclasses.replace(FEATURES["rsi_14"], expr=close - lag(close, 14))) is None


def test_a_bar_in_a_text_does_not_end_its_cell():
    one = dataclasses.replace(FEATURES["rsi_14"], summary="a | b")
    page = catalogue_page({"rsi_14": one}, {"rsi_14": Settled(1234, 5678, "")})
    row = next(line for line in page.splitlines() if line.startswith("| `rsi_14`"))
    assert row == "| `rsi_14` | a \\| b | 0..1 | Wilder (1978) | 393 of 5m | 1,234 of 5,678 |"


def test_a_long_formula_is_cut_between_two_words_and_a_short_one_is_whole():
    assert (beginning("a + b", 5), beginning("a + b + c", 8)) == ("a + b", "a + ...")
    page = PAGE.read_text()
    assert f"`rsi_14`: `{formula(FEATURES['rsi_14'].expr)}`" in page
    long = formula(FEATURES["hmm_regime_state_3"].expr)
    assert len(long) > 120
    assert long not in page
    assert max(len(line) for line in page.splitlines() if line.startswith("- `")) < 200
    assert len(page.encode()) < 100_000


@pytest.mark.slow
def test_measuring_again_gives_the_record_to_a_few_bars():
    again = measure(FEATURES)
    apart = {name: (one.measured, again[name].measured) for name, one in record().items() if abs(one.measured - again[name].measured) > 12}
    assert not apart
    assert {name: one.declared for name, one in record().items()} == {name: one.declared for name, one in again.items()}
