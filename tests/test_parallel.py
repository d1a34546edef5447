"""Many independent jobs: the same answers as one after the other, each failing alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

import parallel_jobs
from barsmith.errors import DataError, UsageError
from barsmith.parallel import BACKENDS, Done, WorkerError, cores, run_jobs

HERE = Path(__file__).parent
THERE = [name for name in BACKENDS if name == "loky" or find_spec(name) is not None]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("backend", [None, *THERE])
def test_answers_come_in_the_order_asked_and_each_failure_stays_alone(backend: str | None) -> None:
    heard: list[int] = []
    found = run_jobs(
        parallel_jobs.square, [(n,) for n in (1, 3, 4, 5, 9)], backend=backend, workers=2, told=lambda number, done: heard.append(number)
    )
    assert [done.value for done in found] == [1, None, None, None, 81]
    data, unforeseen, disk = (found[i].problem for i in (1, 2, 3))
    assert isinstance(data, DataError)
    assert data.as_dict() == {"code": "test/three", "expected": "another number", "came": "3", "do": "choose one", "where": "here"}
    assert "four" in str(unforeseen)
    assert isinstance(disk, OSError)
    assert (disk.errno, disk.filename) == (28, "/somewhere")
    if backend is not None:
        assert isinstance(unforeseen, WorkerError)
        assert "parallel_jobs.py" in unforeseen.__notes__[0]
    assert sorted(heard) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("backend", THERE)
def test_workers_share_the_cores_and_the_environment_is_as_before(backend: str) -> None:
    before = dict(os.environ)
    found = run_jobs(parallel_jobs.threads, [(), ()], backend=backend, workers=2)
    assert [set(done.value.values()) for done in found] == [{str(max(1, cores() // 2))}] * 2
    assert {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} == {
        name: value for name, value in before.items() if not name.startswith("RAY_")
    }


def test_a_worker_that_is_killed_once_has_its_job_done_by_another(tmp_path: Path) -> None:
    found = run_jobs(parallel_jobs.die, [(str(tmp_path), n, int(n == 1)) for n in range(3)], backend="loky", workers=2)
    assert [done.value for done in found] == [0, 1, 2]


def test_a_job_that_kills_its_worker_each_time_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    found = run_jobs(parallel_jobs.die, [(str(tmp_path), n, 9 * (n == 1)) for n in range(3)], backend="loky", workers=2)
    assert [done.value for done in found] == [0, None, 2]
    assert found[1].problem.code == "parallel/worker-lost"  # type: ignore[union-attr]


@pytest.mark.parametrize(("number", "codes"), [(signal.SIGKILL, {-9}), (signal.SIGINT, {-2, 1, 130})])
def test_workers_end_with_the_process_that_asked_for_them(number: int, codes: set[int], tmp_path: Path) -> None:
    program = f"import parallel_jobs; from barsmith.parallel import run_jobs; run_jobs(parallel_jobs.note_and_wait, [({str(tmp_path)!r}, n) for n in (0, 1)], backend='loky', workers=2)"
    with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stderr=subprocess.DEVNULL, preexec_fn=hearing) as asked:
        waited(lambda: all((tmp_path / f"{n}.pid").exists() and (tmp_path / f"{n}.pid").read_text() for n in (0, 1)))
        pids = [int((tmp_path / f"{n}.pid").read_text()) for n in (0, 1)]
        assert all(is_alive(pid) for pid in pids)
        asked.send_signal(number)
        assert asked.wait(20) in codes
    waited(lambda: not any(is_alive(pid) for pid in pids))


def hearing() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and a child inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def waited(condition: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_missing_library_is_told_with_the_command_that_installs_it(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, backend, None)
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(UsageError) as error:
        run_jobs(parallel_jobs.square, [(1,)], backend=backend)
    assert error.value.code == "parallel/missing-library"
    assert "pip install 'barsmith[parallel]'" in error.value.do


def test_no_workers_and_unknown_backends_are_refused() -> None:
    for backend, workers, code in ((None, 0, "parallel/workers"), ("loky", -1, "parallel/workers"), ("threads", 1, "parallel/backend")):
        with pytest.raises(UsageError) as error:
            run_jobs(parallel_jobs.square, [(1,)], backend=backend, workers=workers)  # type: ignore[arg-type]
        assert error.value.code == code


def test_no_jobs_are_no_answers() -> None:
    assert run_jobs(parallel_jobs.square, [], backend="loky") == []
    assert run_jobs(parallel_jobs.square, []) == []
    assert Done().problem is None
