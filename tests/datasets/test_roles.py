"""Column roles: a label can never pass for a feature."""

from __future__ import annotations

import pytest
from tables import FEATURES, table

from barsmith.datasets.roles import check_features, reserved_role, roles_of
from barsmith.errors import DataError


def test_every_column_of_a_table_has_a_role():
    roles = roles_of([*table(0, 5).columns, "contract"], FEATURES)
    assert {name for name, role in roles.items() if role == "feature"} == set(FEATURES)
    assert {name for name, role in roles.items() if role == "label"} == {"label_h20", "label_end_h20", "return_h20"}
    assert {name for name, role in roles.items() if role == "weight"} == {"sample_weight_h20"}
    assert roles["contract"] == "meta", "a column nobody called a feature is none"


@pytest.mark.parametrize("name", ["label_h20", "label_end_h5", "return_h10", "sample_weight_h15", "datetime", "is_settled"])
def test_a_label_or_weight_or_time_among_the_features_is_refused_even_if_its_role_lies(name):
    """Planted leak 13."""
    with pytest.raises(DataError, match=f"came {name}, which is a") as caught:
        check_features(["rsi_14", name], {"rsi_14": "feature", name: "feature"})
    assert caught.value.code == "datasets/role"
    with pytest.raises(DataError):
        roles_of([name, "rsi_14"], ["rsi_14", name])


def test_names_that_only_resemble_a_label_are_free():
    assert [reserved_role(name) for name in ("label_h20_lag", "return_5", "log_return_h", "weight")] == [None] * 4


def test_an_unknown_or_repeated_feature_is_refused():
    with pytest.raises(DataError, match="came rsi_15, which the table does not have"):
        check_features(["rsi_15"], {"rsi_14": "feature"})
    with pytest.raises(DataError, match="rsi_14 twice"):
        check_features(["rsi_14", "rsi_14"], {"rsi_14": "feature"})
