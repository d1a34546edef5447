"""A network's files: what was changed is refused before a library parses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from drawn_windows import drawn_answers, windows

from barsmith.errors import IntegrityError
from barsmith.models import ModelRegistry, fit_model, load_model, predict_model, save_model
from barsmith.models.neural.network_file import tensor_bytes

SMALL = {
    "lstm": {"hidden": 4},
    "gru": {"hidden": 4},
    "tcn": {"channels": 4},
    "transformer": {"d_model": 4, "heads": 2, "d_feedforward": 8},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    X = np.asarray(windows(60))
    model = ModelRegistry.create("tcn", channels=4, max_epochs=1, n_jobs=1)
    fit_model(model, X[:40], drawn_answers(X)[0][:40], X[40:], drawn_answers(X)[0][40:], feature_names=list("abcd"))
    folder = tmp_path_factory.mktemp("network")
    save_model(model, folder)
    return folder


@pytest.fixture
def parsed(monkeypatch):
    """How often safetensors itself has read a file."""
    calls, load = [], safetensors.torch.load
    monkeypatch.setattr(safetensors.torch, "load", lambda data: calls.append(1) or load(data))
    return calls


def code_of(folder, tmp_path, *, weights=None, about=None, params=None) -> str:
    """The code with which a copy with a changed file is refused, or nothing."""
    for name in ("network.safetensors", "network.json", "model.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    if weights is not None:
        (tmp_path / "network.safetensors").write_bytes(weights)
    if about is not None:
        (tmp_path / "network.json").write_text(json.dumps(about))
    if params is not None:
        card = json.loads((tmp_path / "model.json").read_text())
        card["params"]["training"] |= params
        (tmp_path / "model.json").write_text(json.dumps(card))
    try:
        load_model(tmp_path)
    except IntegrityError as error:
        return error.code
    return ""


def rewritten(data: bytes, change) -> bytes:
    """The file with its header changed."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def test_a_changed_header_is_refused_before_safetensors_reads_it(folder, tmp_path, parsed):
    data = (folder / "network.safetensors").read_bytes()
    first = "head.weight"

    def swapped(header):
        a, b = header["head.bias"], header["blocks.0.first.bias"]
        a["data_offsets"], b["data_offsets"] = b["data_offsets"], a["data_offsets"]

    changes = {
        "one tensor fewer": lambda header: header.pop(first),
        "one more": lambda header: header.update(more=header[first]),
        "another shape of the same size": lambda header: header[first].update(shape=[4, 3]),
        "another kind": lambda header: header[first].update(dtype="I32"),
        "a place outside": lambda header: header[first].update(data_offsets=[0, 1 << 60]),
        "a place that is no number": lambda header: header[first].update(data_offsets=["0", None]),
        "a field more": lambda header: header[first].update(note="x"),
        "metadata": lambda header: header.update(__metadata__={"format": "pt"}),
        "two in each other's place": swapped,
    }
    for name, change in changes.items():
        assert code_of(folder, tmp_path, weights=rewritten(data, change)) == "bundle/structure", name
    for cut in (b"", b"\x00" * 7, data[:40]):  # too short for this network, whatever is in it
        assert code_of(folder, tmp_path, weights=cut) == "bundle/structure"
    sizes = [(1 << 63).to_bytes(8, "little") + data[8:], (len(data)).to_bytes(8, "little") + data[8:]]
    for broken in [*sizes, data[:8] + b"[" + data[9:]]:
        assert code_of(folder, tmp_path, weights=broken) == "bundle/format"
    for longer in (data + b"\x00", data[:-1]):
        assert code_of(folder, tmp_path, weights=longer) == "bundle/structure"
    assert not parsed
    assert code_of(folder, tmp_path) == ""
    assert parsed == [1]


def test_numbers_that_are_not_finite_are_refused(folder, tmp_path):
    tensors = safetensors.torch.load((folder / "network.safetensors").read_bytes())
    tensors["head.bias"][1] = float("nan")
    assert code_of(folder, tmp_path, weights=tensor_bytes(tensors)) == "bundle/structure"


def test_a_window_or_a_calibration_that_cannot_be_is_refused(folder, tmp_path):
    good = json.loads((folder / "network.json").read_text())
    for number, shape in enumerate(([6, 5], [10**9, 4], [6], [], [0, 4], [2, 6, 5])):
        with pytest.raises(IntegrityError) as caught:
            load_model(tampered(folder, tmp_path / str(number), input_shape=shape))
        assert caught.value.code == "bundle/structure", shape
    biases = ([0.0, 0.0], [0.0, 0.0, 21.0], [0, 0, 0], ["0", "0", "0"], 0.0)
    for change in ({"temperature": 0.0}, {"temperature": "1"}, {"temperature": 1e9}, {"more": 1}, *({"bias": bias} for bias in biases)):
        assert code_of(folder, tmp_path, about=good | change) == "bundle/structure", change


#: Loads folders with half a gigabyte to spare; prints the code and the mebibytes that each took.
LOADING = """
import resource, sys
from pathlib import Path
import barsmith.models.neural.nhits, barsmith.models.neural.tcn
from barsmith.errors import IntegrityError
from barsmith.models import load_model
load_model(Path(sys.argv[1]))
size = 1024 * int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize")))
resource.setrlimit(resource.RLIMIT_AS, (size + (512 << 20),) * 2)
for folder in sys.argv[2:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        load_model(Path(folder))
    except IntegrityError as error:
        print(error.code, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def tampered(folder, target, *, params=None, **card):
    """A copy whose card tells of another network."""
    shutil.copytree(folder, target)
    known = json.loads((target / "model.json").read_text())
    known["params"]["training"] |= params or {}
    (target / "model.json").write_text(json.dumps(known | card))
    return target


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_card_that_tells_of_a_larger_network_reserves_no_memory(folder, tmp_path):
    flat = {"hidden": 1, "layers": 1, "coefficients": 1, "downsample": [1, 1], "pools": [1, 1], "n_jobs": 1}
    nhits = ModelRegistry.create("nhits", max_epochs=1, **flat)
    fit_model(nhits, np.ones((4, 6, 1), np.float32), np.array([-1, 0, 1, 0]))
    save_model(nhits, tmp_path / "nhits")
    with torch.device("meta"):
        weights = nhits.network((10_000, 1), 3).state_dict()
    hostile = [
        tampered(folder, tmp_path / "parameters", params={"channels": 4096, "levels": 16}),
        tampered(folder, tmp_path / "window", input_shape=[10**9, 4]),
        tampered(tmp_path / "nhits", tmp_path / "buffers", input_shape=[10_000, 1]),  # 400 MB of knots beside 200 kB of weights
    ]
    (hostile[-1] / "network.safetensors").write_bytes(
        tensor_bytes({name: torch.zeros(t.shape, dtype=t.dtype) for name, t in weights.items()})
    )
    child = subprocess.run([sys.executable, "-c", LOADING, folder, *hostile], capture_output=True, text=True, check=False)
    told = [line.split() for line in child.stdout.splitlines()]
    assert [code for code, _ in told] == ["bundle/structure"] * 3, child.stderr
    assert all(int(taken) < 32 for _, taken in told)


@pytest.mark.parametrize("name", SMALL)
def test_a_loaded_network_answers_with_the_same_bits_and_is_written_with_the_same(name, tmp_path):
    X = np.asarray(windows(60))
    y, _ = drawn_answers(X)
    model = ModelRegistry.create(name, max_epochs=1, n_jobs=1, **SMALL[name])
    fit_model(model, X[:40], y[:40], X[40:], y[40:], feature_names=list("abcd"))
    for folder in ("one", "two"):
        save_model(model, tmp_path / folder)
        before, model = predict_model(model, X).probabilities, load_model(tmp_path / folder)
        assert predict_model(model, X).probabilities.tobytes() == before.tobytes()
    for file in ("network.safetensors", "network.json", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_wild_windows_are_refused_rather_than_answered_with_no_number(folder):
    from barsmith.errors import DataError

    with pytest.raises(DataError) as caught:
        predict_model(load_model(folder), np.full((1, 6, 4), 3e38, np.float32))
    assert caught.value.code == "models/prediction"
