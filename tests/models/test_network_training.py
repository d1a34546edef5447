"""The trainer: what stops it, what is kept, what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_windows import drawn_answers, windows
from torch import nn

from barsmith.errors import DataError, UsageError
from barsmith.metrics.classification import weighted_log_loss
from barsmith.models import ModelRegistry, fit_model, predict_model, save_model
from barsmith.models.neural import batch_size, machine
from barsmith.models.neural.adamw import AdamW, shrinks
from barsmith.models.neural.calibration import fitted_calibration
from barsmith.models.neural.schedule import rate_factor
from barsmith.models.neural.trainer import Trainer
from barsmith.models.params import EarlyStopping

NAMES = list("abcd")


def rows(n: int = 300):
    X = np.asarray(windows(n))
    return X, *drawn_answers(X)


def trained(fit=slice(0, 200), stop=slice(200, 300), *, keywords=None, **params):
    """A small GRU and what it told."""
    X, y, weight = rows()
    params = {"hidden": 6, "layers": 1, "max_epochs": 3, "n_jobs": 1, "dropout": 0.0, "learning_rate": 0.02, **params}
    model = ModelRegistry.create("gru", **params)
    rest = {} if stop is None else {"X_val": X[stop], "y_val": y[stop], "weight_val": weight[stop]}
    told = fit_model(model, X[fit], y[fit], weight_train=weight[fit], feature_names=NAMES, **rest, **(keywords or {}))
    return model, told


def weights_of(model) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model._network.state_dict().values()]


def test_the_best_epoch_is_kept_when_patience_ends():
    model, told = trained(
        fit=slice(0, 30), max_epochs=60, hidden=16, learning_rate=0.1, early_stopping=EarlyStopping(patience=4)
    )  # thirty rows are learned by heart: the stopping rows get worse
    losses = told.history["stop"]
    assert told.stopped_early
    assert told.best_iteration == int(np.argmin(losses)) == len(losses) - 5
    X, y, weight = rows()
    stop = model._network(torch.from_numpy(X[200:]))
    weight = weight[200:] / weight[200:].mean()
    loss = (nn.functional.cross_entropy(stop, torch.from_numpy(y[200:].astype(np.int64) + 1), reduction="none").numpy() * weight).mean()
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_min_delta_asks_for_more_than_a_hair():
    _, told = trained(max_epochs=30, early_stopping=EarlyStopping(patience=2, min_delta=1.0))
    assert told.best_iteration == 0
    assert told.epochs == 3


def test_without_stopping_rows_all_epochs_are_kept_and_nothing_is_calibrated():
    model, told = trained(stop=None, max_epochs=5, early_stopping=EarlyStopping(patience=1))
    assert (told.epochs, told.best_iteration, told.stopped_early, told.n_stop, told.temperature) == (5, 4, False, 0, 1.0)
    _, switched_off = trained(max_epochs=5, early_stopping=EarlyStopping(enabled=False, patience=1))
    assert (switched_off.epochs, switched_off.best_iteration, switched_off.stopped_early) == (5, 4, False)
    assert model is not None


def test_leak_20_the_temperature_is_that_of_the_stopping_rows_and_not_of_those_learned_by_heart():
    X = np.asarray(windows(200))
    y = np.random.default_rng(0).choice([-1, 1], 200).astype(np.int8)  # nothing to learn, all to remember
    model = ModelRegistry.create(
        "gru", hidden=64, layers=1, max_epochs=150, n_jobs=1, learning_rate=0.02, dropout=0.0, early_stopping=EarlyStopping(enabled=False)
    )
    told = fit_model(model, X[:60], y[:60], X[60:], y[60:], feature_names=NAMES)
    assert told.history["train"][-1] < 0.05
    assert told.temperature > 3.0  # on the rows learned by heart it would be far below one
    assert weighted_log_loss(y[60:], predict_model(model, X[60:]).probabilities) < np.log(3)  # no worse than knowing nothing


def test_the_calibration_is_that_of_the_lowest_loss():
    random = np.random.default_rng(1)
    logits = random.normal(size=(4000, 3))
    y = np.array([random.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    found = fitted_calibration(4.0 * logits + [1.0, 0.0, -1.0], y)  # four times too sure, and too fond of short
    assert found.temperature == pytest.approx(4.0, rel=0.08)
    assert found.bias == pytest.approx([-0.25, 0.0, 0.25], abs=0.06)
    assert fitted_calibration(logits, y).temperature == pytest.approx(1.0, rel=0.08)


def test_logits_that_tell_nothing_become_the_frequencies_with_one_row_more_of_each_class():
    found = fitted_calibration(np.zeros((7, 3), np.float32), np.array([0, 0, 0, 0, 0, 2, 2]))
    shares = np.exp(found.margins(np.zeros((1, 3)))) / np.exp(found.margins(np.zeros((1, 3)))).sum()
    assert shares == pytest.approx(np.array([[6, 1, 3]]) / 10, abs=1e-4)


def test_balanced_class_weights_leave_probabilities_that_are_as_frequent_as_the_classes():
    X, random = np.asarray(windows(400)), np.random.default_rng(3)
    y = random.choice([-1, 0, 1], 400, p=[0.8, 0.1, 0.1]).astype(np.int8)
    model = ModelRegistry.create("gru", hidden=4, layers=1, max_epochs=2, n_jobs=1, class_weights="balanced")
    fit_model(model, X[:200], y[:200], X[200:], y[200:], feature_names=NAMES)
    mean = predict_model(model, X[200:]).probabilities.mean(axis=0)
    assert mean == pytest.approx([(y[200:] == k).mean() for k in (-1, 0, 1)], abs=0.02)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        save_model(trained(dropout=0.3, layers=2, keywords={"seed": seed})[0], tmp_path / folder)
    read = [(tmp_path / folder / "network.safetensors").read_bytes() for folder in "abc"]
    assert read[0] == read[1] != read[2]


def test_pytorch_is_left_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    predict_model(trained(dropout=0.3, layers=2)[0], rows()[0])
    after = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_sample_weights_and_balanced_classes_move_the_answers():
    X, y, _ = rows()
    rare = y == 1
    keep = ~rare | (np.cumsum(rare) % 5 == 0)
    means = []
    for weight, class_weights in ((None, "none"), (None, "balanced"), (np.where(y == 1, 20.0, 1.0), "none")):
        model = ModelRegistry.create("gru", hidden=6, max_epochs=6, n_jobs=1, learning_rate=0.02, class_weights=class_weights)
        fit_model(model, X[keep], y[keep], weight_train=None if weight is None else weight[keep], feature_names=NAMES)
        means.append(predict_model(model, X).probabilities[:, 2].mean())
    assert means[0] < means[1] - 0.05
    assert means[0] < means[2] - 0.05


def test_progress_tells_losses_pace_and_time_left():
    heard = []
    trained(keywords={"progress": lambda done, total, numbers: heard.append((done, total, dict(numbers)))})
    whole = [each for each in heard if each[0] == int(each[0])]
    assert [each[:2] for each in whole] == [(1, 3), (2, 3), (3, 3)]
    assert set(whole[0][2]) == {"train", "stop", "stop_accuracy", "rows_per_second", "seconds_left"}
    assert whole[0][2]["rows_per_second"] > 0
    assert whole[2][2]["seconds_left"] == 0.0


def test_ctrl_c_keeps_the_best_so_far_and_says_so():
    def interrupt(done, total, numbers):
        if done == 2:
            raise KeyboardInterrupt

    model, told = trained(max_epochs=50, keywords={"progress": interrupt})
    assert told.epochs == 2
    assert told.interrupted == 130  # the exit code of the command
    assert told.notes == (f"stopped by hand after 2 epochs; epoch {told.best_iteration + 1} is kept",)
    assert weights_of(model) == weights_of(trained(max_epochs=50, keywords={"progress": interrupt})[0])


def test_ctrl_c_in_the_first_epoch_ends_the_training(monkeypatch):
    def interrupt(self, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "learn_once", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trained()


@pytest.mark.parametrize(("method", "loss"), [("step", torch.tensor(float("nan"))), ("score", (float("inf"), 0.5))])
def test_a_loss_that_is_no_number_is_refused(monkeypatch, method, loss):
    monkeypatch.setattr(Trainer, method, lambda *_: loss)
    with pytest.raises(DataError, match="a loss that is a number") as caught:
        trained()
    assert caught.value.code == "models/diverged"


def test_gradients_are_clipped_at_one(monkeypatch):
    heard = []
    clip = nn.utils.clip_grad_norm_
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda parameters, most: heard.append(most) or clip(parameters, most))
    trained(max_epochs=1)
    assert set(heard) == {1.0}


def test_our_adamw_takes_the_steps_of_pytorchs_own():
    ours, theirs = (nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0}]
    mine, peer = AdamW(ours, 0.1), torch.optim.AdamW(groups, fused=True)
    for number, x in enumerate(torch.randn(10, 4, 5)):
        for network in (ours, theirs):
            network(x).square().sum().backward()
        mine.step(0.01 * number)
        for group in peer.param_groups:
            group["lr"] = 0.01 * number
        peer.step()
        peer.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert factors[10] == 1.0 == max(factors)
    assert factors[99] == pytest.approx(0.01)
    assert np.all(np.diff(factors[10:]) < 0)
    assert rate_factor(0, 1, 0.05) == 1.0


def test_the_batch_is_256_or_sixteen_steps_an_epoch_or_what_fits(monkeypatch):
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 3))
    size = lambda rows, wish="auto": batch_size.chosen_batch_size(wish, network, (6, 4), rows, "cpu")  # noqa: E731
    assert [size(n) for n in (70_000, 4096, 1500, 300, 3)] == [256, 256, 64, 16, 16]
    assert size(70_000, 7) == 7
    kept = batch_size.window_bytes(network, (6, 4))
    assert kept == (24 + 8) * 4  # the input of the first layer, and the tanh, which is the input of the second
    monkeypatch.setattr(batch_size, "memory", lambda device: 2 * 4 * kept * 100)
    assert size(70_000) == 64  # a quarter of the memory holds a hundred windows, each kept twice


def test_a_gpu_that_is_not_there_is_refused_as_boosters_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError) as caught:
        ModelRegistry.create("gru", device={"use_gpu": True}).check_machine()
    assert caught.value.code == "config/device"
    assert machine.device_for(ModelRegistry.create("gru").params.device) == "cpu"


def test_torch_compile_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    ModelRegistry.create("gru").check_machine()
    with pytest.raises(UsageError) as caught:
        ModelRegistry.create("gru", compile=True).check_machine()
    assert caught.value.code == "config/compile"


def test_a_batch_size_is_auto_or_a_number():
    for bad in (0, 70_000, 1.5, "large", True):
        with pytest.raises(UsageError) as caught:
            ModelRegistry.create("gru", batch_size=bad)
        assert caught.value.code == "config/out-of-range"
        assert "training.batch_size" in str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler warns of itself
def test_a_compiled_training_learns_what_an_uncompiled_one_learns():
    X, y, _ = rows()
    losses = []
    for compiled in (True, False):
        model = ModelRegistry.create("tcn", channels=4, max_epochs=2, n_jobs=1, dropout=0.0, compile=compiled)
        losses.append(fit_model(model, X[:200], y[:200], X[200:], y[200:], feature_names=NAMES).history["train"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_of_every_network_biases_and_scales_do_not_shrink_and_weights_do():
    vectors = ("bias", "norm", "scale", "shift", "original0")  # the last is how PyTorch calls a weight norm's length
    for name in (name for name in ModelRegistry.list_all() if ModelRegistry.info(name).family == "neural"):
        network = ModelRegistry.create(name, seq_len=20, strategy="single").network((20, 7), 3)
        kinds = {key: shrinks(parameter) for key, parameter in network.named_parameters() if parameter.numel() > 1}
        assert any(kinds.values()), name
        wrong = [key for key, does in kinds.items() if does and key.rpartition(".")[2].startswith(vectors)]
        assert not wrong, f"{name}: {wrong}"
