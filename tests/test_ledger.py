"""The ledger of trials: counts by configuration, a chain that no change survives, and no line lost to a kill or a second process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barsmith.errors import IntegrityError, StorageError
from barsmith.ledger import Ledger
from every_step import killed_at_every_step


def record(workspace: Path, depth: int, symbol: str = "MES", horizon: int = 20, model: str = "xgboost") -> dict[str, object]:
    return Ledger(workspace).record(symbol=symbol, horizon=horizon, model=model, configuration={"depth": depth}, scores={"accuracy": 0.4})


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A workspace whose ledger has three lines."""
    for depth in (1, 2, 3):
        record(tmp_path, depth)
    return tmp_path


def lines_of(workspace: Path) -> list[bytes]:
    return (workspace / "experiments" / "ledger.jsonl").read_bytes().splitlines(keepends=True)


def put(workspace: Path, *lines: bytes) -> Ledger:
    (workspace / "experiments" / "ledger.jsonl").write_bytes(b"".join(lines))
    return Ledger(workspace)


def is_broken(ledger: Ledger) -> bool:
    with pytest.raises(IntegrityError) as error:
        ledger.entries()
    return error.value.code == "integrity/ledger"


def test_a_workspace_without_a_ledger_has_no_trials(tmp_path: Path) -> None:
    assert (Ledger(tmp_path).trials("MES", 20), Ledger(tmp_path).openings("MES", 20), list(tmp_path.iterdir())) == (0, [], [])


def test_equal_configurations_are_one_trial_of_their_symbol_and_horizon(tmp_path: Path) -> None:
    record(tmp_path, 1)
    record(tmp_path, 2)
    record(tmp_path, 1)
    record(tmp_path, 1, model="logistic")
    record(tmp_path, 9, symbol="MGC")
    record(tmp_path, 9, horizon=5)
    ledger = Ledger(tmp_path)
    assert [ledger.trials(*of) for of in (("MES", 20), ("MGC", 20), ("MES", 5), ("ES", 20))] == [3, 1, 1, 0]


def test_the_order_of_the_keys_does_not_make_another_configuration(tmp_path: Path) -> None:
    for configuration in ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}):
        Ledger(tmp_path).record(symbol="MES", horizon=20, model="m", configuration=configuration, scores={"log_loss": None})
    assert Ledger(tmp_path).trials("MES", 20) == 1


def test_each_opening_of_the_test_split_is_kept(tmp_path: Path) -> None:
    for run in ("one", "two"):
        Ledger(tmp_path).record_opening(symbol="MES", horizon=20, model="xgboost", run=run)
    assert [entry["run"] for entry in Ledger(tmp_path).openings("MES", 20)] == ["one", "two"]
    assert Ledger(tmp_path).openings("MES", 5) == []
    assert Ledger(tmp_path).trials("MES", 20) == 0


def test_each_line_names_the_one_before_it(three: Path) -> None:
    entries = [json.loads(line) for line in lines_of(three)]
    assert [entry["number"] for entry in entries] == [1, 2, 3]
    assert [entry["previous"] for entry in entries] == ["0" * 64, entries[0]["sha256"], entries[1]["sha256"]]


def test_any_flipped_bit_is_found(three: Path) -> None:
    whole = b"".join(lines_of(three))
    for at in range(len(whole)):
        assert is_broken(put(three, whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])), at


def test_a_line_taken_out_put_in_or_moved_is_found(three: Path) -> None:
    one, two, last = lines_of(three)
    for lines in (
        (two, last),
        (one, last),
        (one, two, two, last),
        (two, one, last),
        (one, b"\n", two, last),
        (one, b"[]\n"),
        (one, b"{}\n"),
    ):
        assert is_broken(put(three, *lines))
    assert len(put(three, one, two, last).entries()) == 3


def test_nothing_is_added_to_a_broken_ledger(three: Path) -> None:
    one, _, last = lines_of(three)
    put(three, one, last)
    with pytest.raises(IntegrityError):
        record(three, 4)
    assert lines_of(three) == [one, last]


def test_an_unfinished_last_line_gives_way_to_the_next(three: Path) -> None:
    one, two, last = lines_of(three)
    for length in (1, 2, len(last) // 2, len(last) - 2, len(last) - 1):
        ledger = put(three, one, two, last[:length])
        assert ledger.trials("MES", 20) == 2
        record(three, 9)
        assert [entry["number"] for entry in ledger.entries()] == [1, 2, 3]
        assert lines_of(three)[:2] == [one, two]


SCRIPT = """
from pathlib import Path
from barsmith.ledger import Ledger
def add(folder, depth):
    Ledger(folder).record(symbol="MES", horizon=20, model="xgboost", configuration={"depth": depth}, scores={})
def before(folder):
    add(folder, 1)
def act(folder):
    add(folder, 2)
def check(folder):
    left = Ledger(folder).trials("MES", 20)
    add(folder, 3)
    return f"{left} then {Ledger(folder).trials('MES', 20)}"
"""


def test_a_writer_that_is_killed_at_any_step_leaves_the_line_or_none_and_no_lock(tmp_path: Path) -> None:
    left = killed_at_every_step(SCRIPT, tmp_path)
    assert set(left) == {"1 then 2", "2 then 3"}
    assert sum(left.values()) > 30


def test_two_processes_that_write_at_once_lose_no_line(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from barsmith.ledger import Ledger\n"
        "for depth in range(30): Ledger(Path(sys.argv[1])).record("
        "symbol='MES', horizon=20, model=sys.argv[2], configuration={'depth': depth}, scores={})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, name]) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    entries = Ledger(tmp_path).entries()
    assert [entry["number"] for entry in entries] == list(range(1, 61))
    assert [sum(entry["model"] == name for entry in entries) for name in ("one", "two")] == [30, 30]


def test_a_disk_that_refuses_is_told_and_the_earlier_lines_stay(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lines_of(three)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as error:
            record(three, 4)
    assert error.value.code == "io/no-space"
    assert lines_of(three)[:3] == before
    Ledger(three).entries()
