"""Windows on the device: the bits of the view, gathered from one matrix, never copied out of it as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_windows import drawn_answers, windows

from barsmith.datasets.rungs import RungBars, RungWindows
from barsmith.datasets.views import View
from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.neural.batches import OnDevice, loss_weights, shares_of


class Doubled(View):
    """A user's own view: twice the windows of an array."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    shape = property(lambda self: self.X.shape)

    def take(self, rows):
        return Doubled(self.X[rows])

    def gather(self, rows):
        return 2 * self.X[rows]

    def is_finite(self):
        return np.isfinite(self.X).all(axis=(1, 2))


def rung_windows(n: int = 50, length: int = 5) -> RungWindows:
    random = np.random.default_rng(2)
    prices = 4000.0 + random.normal(size=(2 * n + 40, 4)).cumsum(axis=0)
    bars = RungBars(prices, np.arange(len(prices)), {"5m": 0, "15m": n + 20})
    last = np.column_stack([random.integers(length, n, n), random.integers(n + 20 + length, 2 * n, n)])
    return RungWindows(bars, last.astype(np.int64), length)


@pytest.mark.parametrize("view", [windows(), rung_windows()], ids=["windows", "rungs"])
def test_gathered_windows_have_the_bits_of_the_view(view):
    which = np.random.default_rng(0).permutation(len(view))[:40]
    gathered = OnDevice("cpu").gather(view)(torch.from_numpy(which)).numpy()
    assert gathered.dtype == np.float32
    assert gathered.tobytes() == np.asarray(view)[which].tobytes()


def test_rows_of_an_array_and_of_a_view_of_another_kind_are_taken_as_they_are():
    X, which = np.asarray(windows()), torch.tensor([5, 0, 299])
    assert OnDevice("cpu").gather(X)(which).numpy().tobytes() == X[[5, 0, 299]].tobytes()
    own = Doubled(X)
    assert OnDevice("cpu").gather(own)(which).numpy().tobytes() == (2 * X[[5, 0, 299]]).tobytes()


def test_the_matrix_is_not_copied_and_is_brought_to_the_device_once():
    place, view = OnDevice("cpu"), windows()
    tensor = place.tensor(view.matrix.X)
    assert tensor.data_ptr() == view.matrix.X.ctypes.data
    assert place.tensor(view.take(slice(0, 9)).matrix.X) is tensor
    frozen = view.matrix.X.copy()
    frozen.flags.writeable = False
    assert place.tensor(frozen).numpy().tobytes() == frozen.tobytes()  # PyTorch warns of memory that cannot be written


def test_a_training_on_a_view_never_holds_all_windows(monkeypatch):
    view, most = windows(n=400, length=20), []
    gather = OnDevice._windows

    def watched(self, X):
        take = gather(self, X)

        def counted(which):
            most.append(len(which))
            return take(which)

        return counted

    monkeypatch.setattr(OnDevice, "_windows", watched)
    monkeypatch.setattr(type(view), "__array__", lambda *_: pytest.fail("a copy of all windows was made"))
    y, _ = drawn_answers(np.stack([view[i] for i in range(400)]))
    model = ModelRegistry.create("gru", hidden=4, layers=1, max_epochs=2, batch_size=32, n_jobs=1)
    fit_model(model, view.take(slice(0, 350)), y[:350], view.take(slice(350, 400)), y[350:], feature_names=list("abcd"))
    assert max(most) == 50
    assert sum(most) == 2 * (350 + 50) + 50  # two epochs, and the stopping rows once more for the temperature


@pytest.mark.parametrize("name", ["lstm", "tcn"])
def test_a_view_and_its_copy_give_the_same_model_and_the_same_answers(name):
    view = windows()
    X = np.asarray(view)
    y, weight = drawn_answers(X)
    found = []
    for source in (view, X):
        model = ModelRegistry.create(name, max_epochs=2, n_jobs=1, **({"hidden": 4} if name == "lstm" else {"channels": 4}))
        parts = (source.take, X.__getitem__)[source is X]
        fit_model(
            model, parts(slice(0, 250)), y[:250], parts(slice(250, 300)), y[250:], weight_train=weight[:250], feature_names=list("abcd")
        )
        found.append(predict_model(model, source).probabilities.tobytes())
    assert found[0] == found[1]


def test_batches_are_of_nearly_one_size():
    assert [part.stop - part.start for part in shares_of(257, 256)] == [129, 128]
    assert [part.stop - part.start for part in shares_of(1, 256)] == [1]


def test_loss_weights_by_hand():
    y = np.array([-1, 0, 0, 0], np.int8)
    assert loss_weights(y, None, "none").tolist() == [1.0, 1.0, 1.0, 1.0]
    assert loss_weights(y, np.array([1.0, 1.0, 1.0, 5.0]), "none").tolist() == [0.5, 0.5, 0.5, 2.5]
    assert loss_weights(y, None, "balanced").tolist() == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3])  # a class weighs as much as the other
