"""Every registered model conforms, and every check finds the fault it is there for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barsmith.models import ModelRegistry
from barsmith.models.discovery import forget, load_file
from barsmith.models.registry import SHIPPED
from barsmith.testing.models import CHECKS, Trial, check_model

HERE = Path(__file__).parent
#: A network learns in a few epochs what these rows tell, if it may take large steps.
QUICK = {"max_epochs": 4, "learning_rate": 0.02, "dropout": 0.0, "n_jobs": 1}
#: Parameters that keep a training short.
SHORT: dict[str, dict[str, Any]] = {
    "xgboost": {"n_estimators": 12, "n_jobs": 1},
    "catboost": {"n_estimators": 12, "learning_rate": 0.3, "max_depth": 3, "n_jobs": 1},
    "random_forest": {"n_estimators": 10, "max_depth": 4, "min_samples_leaf": 5, "n_jobs": 1},
    "svm": {"n_components": 60},
    "lightgbm": {"n_estimators": 12, "n_jobs": 1, "min_child_samples": 5},
    "lstm": {"hidden": 8, **QUICK},
    "gru": {"hidden": 8, **QUICK},
    "tcn": {"channels": 8, **QUICK},
    "transformer": {"d_model": 8, "heads": 2, "d_feedforward": 16, **QUICK},
    "inceptiontime": {"depth": 3, "filters": 4, "bottleneck": 4, "kernel": 4, **QUICK},
    "resnet1d": {"filters": 4, **QUICK},
    "nbeats": {"hidden": 16, "blocks": 1, "coefficients": 4, **QUICK},
    "nhits": {"hidden": 16, "coefficients": 4, **QUICK},
    # these rows tell the class by a window's level, which RevIN takes away
    "patchtst": {"seq_len": 8, "patch_len": 4, "stride": 2, "d_model": 8, "heads": 2, "layers": 1, "revin": False, **QUICK},
    "itransformer": {"d_model": 8, "heads": 2, "layers": 1, "d_feedforward": 16, "revin": False, **QUICK},
    # its 300 windows are too few for the 18 variables of three timeframes
    "tft": {"strategy": "single", "hidden": 16, **QUICK, "max_epochs": 8, "learning_rate": 0.01},
}
BY_NAME = {check.__name__: check for check in CHECKS}


@pytest.fixture(scope="module")
def faults() -> Iterator[dict[str, str]]:
    """The models of faulty_models.py, loaded as a user's file: fault -> the check that must find it."""
    names = load_file(HERE / "faulty_models.py")
    module = sys.modules[ModelRegistry.get("toy").__module__]
    yield {name: module.FAULTS.get(name, "") for name in names}
    forget()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "timesfm"])  # its weights are the user's own
def test_every_shipped_model_conforms(name, check, tmp_path):
    check(Trial.of(name, tmp_path, **SHORT.get(name, {})))


def test_an_honest_model_of_a_user_conforms(faults, tmp_path):
    assert "toy" in faults
    check_model("toy", tmp_path)


def test_every_check_has_a_planted_fault(faults):
    assert {fault for fault in faults.values() if fault} == set(BY_NAME)


@pytest.mark.parametrize("number", range(18))
def test_the_check_finds_the_planted_fault(faults, number, tmp_path):
    name, check = [(name, check) for name, check in faults.items() if check][number]
    with pytest.raises(AssertionError):
        BY_NAME[check](Trial.of(name, tmp_path))


def test_there_are_as_many_planted_faults_as_are_tried(faults):
    assert len([check for check in faults.values() if check]) == 18
