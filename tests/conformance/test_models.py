"""Every registered model conforms, and every check finds the fault it is there for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barsmith.models import fit_model, predict_model
from barsmith.models.discovery import forget, load_file
from barsmith.models.registry import SHIPPED
from barsmith.testing import model_leaks
from barsmith.testing.model_leaks import it_never_learns_from_the_rows_it_reports, same
from barsmith.testing.model_trial import SEED
from barsmith.testing.models import CHECKS, Trial, check_model

HERE = Path(__file__).parent
#: A network learns in a few epochs what these rows tell, if it may take large steps; one that still drops out when it answers would show.
QUICK = {"max_epochs": 4, "learning_rate": 0.02, "dropout": 0.05, "n_jobs": 1}
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
    # 300 windows are too few for the twelve prices of three timeframes
    "tft": {"strategy": "single", "hidden": 16, **QUICK, "max_epochs": 8, "learning_rate": 0.01},
}
#: A model that reads either -> its parameters for the shape that SHORT does not have: 4D, or 3D of the last two.
OTHER_SHAPE: dict[str, dict[str, Any]] = {
    "nbeats": {"strategy": "ingestion", "hidden": 32, "max_epochs": 10, "learning_rate": 0.01},
    "inceptiontime": {"strategy": "ingestion"},
    "resnet1d": {"strategy": "ingestion"},
    "tft": {"strategy": "ingestion"},
    "patchtst": {"strategy": "single"},
    "itransformer": {"strategy": "single"},
}
#: In 300 windows TFT cannot find which of twelve prices tells the class: tests/models/neural/test_tft.py asks it of two rungs.
UNLEARNED = {("tft", "probabilities_stand_in_the_agreed_order"), ("tft", "importance_is_named_by_feature")}
#: The checks whose outcome depends on the shape of a window. The others look at what is the same code for both: the trainer's own
#: word about itself, its generators, threads and checkpoints, files outside the folder, a process that has only the folder.
OF_SHAPE = (
    "answers_have_their_shape",
    "probabilities_stand_in_the_agreed_order",
    "one_row_gives_the_bits_it_gives_among_others",
    "chunks_give_the_bits_of_the_whole",
    "a_view_gives_the_bits_of_a_copy",
    "nan_is_refused",
    "other_features_are_refused",
    "it_never_learns_from_the_rows_it_reports",
    "a_loaded_model_gives_the_same_bits",
    "importance_is_named_by_feature",
)
#: The fault's model -> the check that finds it, and words that it says.
FAULTS = {
    "toy_with_signals_of_its_own": ("answers_have_their_shape", "signals are not the most probable"),
    "toy_in_another_order": ("probabilities_stand_in_the_agreed_order", "another order"),
    "toy_that_guesses_a_missing_class": ("a_class_may_be_missing_from_train", "without .* in train the mean"),
    "toy_that_rounds_a_single_row": ("one_row_gives_the_bits_it_gives_among_others", "row 0 alone"),
    "toy_that_centres_its_batch": ("chunks_give_the_bits_of_the_whole", "chunks of 2 rows differ"),
    "toy_that_mistakes_a_view": ("a_view_gives_the_bits_of_a_copy", "copy of a view"),
    "toy_that_fills_nan": ("nan_is_refused", "nan among the features.*came nothing"),
    "toy_that_takes_any_columns": ("other_features_are_refused", "5 features instead of 6.*came nothing"),
    "toy_without_weights": ("weights_matter", "with heavy long rows"),
    "toy_without_seed": ("the_same_seed_gives_the_same_bits", "trainings with one seed differ"),
    "toy_that_scales_in_place": ("training_leaves_its_input_alone", "X is changed"),
    "toy_that_seeds_everybody": ("the_process_is_left_as_it_was", "Python's random numbers and NumPy's random numbers"),
    "toy_that_stops_early_on_validation": ("it_never_learns_from_the_rows_it_reports", "learned from the rows that are reported"),
    "toy_that_calibrates_on_validation": ("it_never_learns_from_the_rows_it_reports", "learned from the rows that are reported"),
    "toy_that_scales_by_the_whole_matrix": ("it_never_learns_from_the_rows_it_reports", "learned from the rows that are reported"),
    "toy_that_begins_where_another_ended": ("it_never_learns_from_the_rows_it_reports", "learned from the rows that are reported"),
    "toy_that_opens_the_test_split": ("it_never_learns_from_the_rows_it_reports", "opened the test split"),
    "toy_that_recalibrates_as_it_answers": ("being_asked_changes_nothing", "asked again after other rows"),
    "toy_that_adapts_to_the_first_batch": ("being_asked_changes_nothing", "asked for other rows first"),
    "toy_that_keeps_what_it_is_asked": ("being_asked_changes_nothing", "array.asked.npy is another"),
    "toy_that_stops_on_rows_that_are_not_there": ("it_learns_without_rows_to_stop_on", "n_stop is 100 without"),
    "toy_that_calls_its_loss_validation": ("losses_are_of_the_rows_they_name", "val does not say of which rows"),
    "toy_with_an_accuracy_of_who_knows_what": ("losses_are_of_the_rows_they_name", "accuracy does not say of which rows"),
    "toy_that_tells_one_loss_for_both": ("losses_are_of_the_rows_they_name", "other labels of the stopping rows"),
    "toy_that_stops_without_weights": ("losses_are_of_the_rows_they_name", "other weights of the stopping rows"),
    "toy_that_goes_on_from_any_checkpoint": ("it_goes_on_from_its_own_checkpoint_only", "checkpoint of another training"),
    "toy_that_saves_single_precision": ("a_loaded_model_gives_the_same_bits", "loaded, the answers differ"),
    "toy_that_forgets_its_parameters": ("a_loaded_model_gives_the_same_bits", "loaded, the answers differ"),
    "toy_that_loads_its_defaults": ("a_loaded_model_gives_the_same_bits", "loaded, the parameters are"),
    "toy_that_lives_in_its_process": ("it_works_in_a_fresh_process", "fresh process ends with 1"),
    "toy_in_a_pickle": ("it_works_in_a_fresh_process", "loaded from a pickle, which names "),
    "toy_that_writes_beside_its_folder": ("nothing_is_written_outside_its_folder", "outside its folder.*leftover.txt"),
    "toy_that_writes_where_it_stands": ("nothing_is_written_outside_its_folder", "outside its folder.*training.log"),
    "toy_with_one_desk_for_all_threads": ("threads_get_the_same_bits", "when four threads predict"),
    "toy_that_learns_otherwise_in_a_thread": ("threads_get_the_same_bits", "trained in a thread"),
    "toy_with_importance_in_another_order": ("importance_is_named_by_feature", "the feature that tells the class is pull"),
    "toy_that_counts_its_stopping_rows": ("training_tells_about_itself", "n_fit is 400"),
    "toy_that_takes_any_parameter": ("an_unknown_parameter_is_refused", "unknown parameter.*came nothing"),
}
HONEST = ("toy", "toy_of_windows")
BY_NAME = {check.__name__: check for check in CHECKS}


@pytest.fixture(scope="module")
def toys() -> Iterator[set[str]]:
    """The names of the models of faulty_models.py, loaded as a user's file."""
    yield set(load_file(HERE / "faulty_models.py"))
    forget()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "timesfm"])  # its weights are the user's own
def test_every_shipped_model_conforms(name, check, tmp_path):
    check(Trial.of(name, tmp_path, **SHORT.get(name, {})))


@pytest.mark.parametrize(("name", "check"), [each for each in product(OTHER_SHAPE, OF_SHAPE) if each not in UNLEARNED])
def test_a_model_that_reads_3d_or_4d_conforms_in_both(name, check, tmp_path):
    one, other = (Trial.of(name, tmp_path, **SHORT[name] | more) for more in ({}, OTHER_SHAPE[name]))
    assert {one.reads, other.reads} == {"sequence", "multires"}
    BY_NAME[check](other)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_of_a_user_conforms(name, toys, tmp_path):
    check_model(name, tmp_path)


def test_every_check_has_a_planted_fault_and_every_fault_a_check(toys):
    assert {check for check, _ in FAULTS.values()} == set(BY_NAME)
    assert toys == {*FAULTS, *HONEST}


def test_the_guide_names_every_check():
    guide = (HERE.parents[1] / "docs" / "add_a_model.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", guide, re.M) == list(BY_NAME)


@pytest.mark.parametrize("name", FAULTS)
def test_the_check_finds_the_planted_fault(name, toys, tmp_path):
    check, words = FAULTS[name]
    with pytest.raises(AssertionError, match=words):
        BY_NAME[check](Trial.of(name, tmp_path))


@pytest.mark.parametrize("name", ["ridge", "xgboost", "gru"])  # it calibrates, it stops early, it does both
def test_a_trainer_that_stops_on_the_rows_it_reports_is_found(name, monkeypatch, tmp_path):
    """Leak 20, planted in the trainer: no model is to blame."""

    def careless(model, container, *, seed):
        train, val = container.train.take(np.arange(150)), container.val
        names = container.feature_names
        return fit_model(model, train.X, train.y, val.X, val.y, weight_train=train.weight, feature_names=names, seed=seed)

    trial = Trial.of(name, tmp_path, **SHORT.get(name, {}))
    it_never_learns_from_the_rows_it_reports(trial)
    monkeypatch.setattr(model_leaks, "fit", careless)
    with pytest.raises(AssertionError, match="learned from the rows that are reported"):
        it_never_learns_from_the_rows_it_reports(trial)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost", "random_forest", "svm", "gru"])  # one trainer draws for all networks
def test_another_seed_gives_another_model(name, tmp_path):
    trial = Trial.of(name, tmp_path, **SHORT.get(name, {}))
    X, parts = trial.rows(seed=8).X, trial.rows().parted()
    assert not same(*(predict_model(model, X).probabilities for model in (trial.fitted(), trial.trained(*parts, seed=SEED + 1)[0])))
