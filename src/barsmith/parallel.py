"""Run many independent jobs: in this process, or in processes of loky, Ray or Dask.

A job is a module's function with arguments that can be sent. Each fails alone, and none outlives the process that asked for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from barsmith import errors
from barsmith.errors import BarsmithError, UsageError

Backend = Literal["loky", "ray", "dask"]
BACKENDS = ("loky", "ray", "dask")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
"""Variables by which libraries are told how many threads they may have, before they are imported."""

Job = tuple[Callable[..., Any], tuple[Any, ...]]
Told = Callable[[int, "Done"], None]


@dataclass(frozen=True)
class Done:
    """How a job ended: with a value, or with a problem. A problem of another process carries its traceback as a note."""

    value: Any = None
    problem: Exception | None = None


class WorkerError(Exception):
    """An exception of another process that nobody foresaw, by its text."""


def run_jobs(
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    *,
    backend: Backend | None = None,
    workers: int | None = None,
    told: Told | None = None,
) -> list[Done]:
    """`function(*each)` for each of `arguments`, in their order.

    backend: None for one after the other in this process. workers: processes at once, by default one a core and never more than
    there are jobs. told: called with a job's number and how it ended, as soon as it has.
    Raises UsageError `parallel/workers`, `parallel/backend`, `parallel/missing-library`. A signal ends all.
    """
    if workers is not None and workers < 1:
        raise UsageError("parallel/workers", expected="1 worker or more", came=str(workers), do="correct --workers")
    told = told or (lambda number, done: None)
    jobs = [(function, each) for each in arguments]
    if backend is None or not jobs:
        return [_heard(i, _in_process(job), told) for i, job in enumerate(jobs)]
    if backend not in BACKENDS:
        raise UsageError("parallel/backend", expected="one of " + ", ".join(BACKENDS), came=ascii(backend)[:60], do="correct --backend")
    count = max(1, min(workers or cores(), len(jobs)))
    run: dict[str, Callable[[Sequence[Job], int, Told], list[Done]]] = {"loky": _loky, "ray": _ray, "dask": _dask}
    with threads_of_workers(max(1, cores() // count)):
        return run[backend](jobs, count, told)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def threads_of_workers(each: int) -> Iterator[None]:
    """Processes that are started meanwhile have so many threads for their libraries."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(each)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _heard(number: int, done: Done, told: Told) -> Done:
    told(number, done)
    return done


def _in_process(job: Job) -> Done:
    function, arguments = job
    try:
        return Done(function(*arguments))
    except Exception as problem:  # noqa: BLE001 nothing is swallowed: the caller is told how each job ended
        return Done(problem=problem)


def answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """What a worker sends back: {"value"} or {"problem"}, in words that any process can read."""
    end_with_parent()
    done = _in_process((function, arguments))
    return {"value": done.value} if done.problem is None else {"problem": _described(done.problem)}


def _described(problem: Exception) -> dict[str, Any]:
    if isinstance(problem, BarsmithError):
        return {"class": type(problem).__name__, **problem.as_dict()}
    trace = "".join(traceback.format_exception(problem))
    if isinstance(problem, OSError) and problem.errno is not None:
        return {"errno": problem.errno, "text": problem.strerror, "file": problem.filename, "trace": trace}
    return {"memory": isinstance(problem, MemoryError), "text": f"{type(problem).__name__}: {problem}"[:500], "trace": trace}


def done_of(told: dict[str, Any]) -> Done:
    """The inverse of `answer`."""
    if "problem" not in told:
        return Done(told["value"])
    said = told["problem"]
    if "class" in said:
        fields = {key: said[key] for key in ("expected", "came", "do", "where")}
        return Done(problem=getattr(errors, said["class"], BarsmithError)(said["code"], **fields))
    problem: Exception
    if "errno" in said:
        problem = OSError(said["errno"], said["text"], said["file"])
    else:
        problem = MemoryError(said["text"]) if said["memory"] else WorkerError(said["text"])
    problem.add_note(said["trace"])
    return Done(problem=problem)


def end_with_parent() -> None:
    """A worker whose parent was killed would go on, and keep what it has locked: it is killed too."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    if not any(thread.name == "barsmith-parent" for thread in threading.enumerate()):
        threading.Thread(target=watch, name="barsmith-parent", daemon=True).start()


def _lost(job: Job) -> Done:
    return Done(
        problem=BarsmithError(
            "parallel/worker-lost",
            expected="a worker that lives until its job is done",
            came="one that was killed, or ran out of memory",
            do="run this job alone, or use fewer --workers",
        )
    )


def _loky(jobs: Sequence[Job], workers: int, told: Told) -> list[Done]:
    """A worker that dies breaks its whole pool: the jobs that went down with it are tried once more, each in a pool of its own."""
    found: dict[int, Done] = {}
    _loky_pool(dict(enumerate(jobs)), workers, found, told)
    for number in [number for number in range(len(jobs)) if number not in found]:
        _loky_pool({number: jobs[number]}, 1, found, told)
        if number not in found:
            found[number] = _heard(number, _lost(jobs[number]), told)
    return [found[number] for number in range(len(jobs))]


def _loky_pool(jobs: dict[int, Job], workers: int, found: dict[int, Done], told: Told) -> None:
    from concurrent.futures import as_completed
    from concurrent.futures.process import BrokenProcessPool

    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=min(workers, len(jobs)))
    try:
        waiting = {pool.submit(answer, *job): number for number, job in jobs.items()}
        for future in as_completed(waiting):
            with contextlib.suppress(BrokenProcessPool):
                found[waiting[future]] = _heard(waiting[future], done_of(future.result()), told)
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _ray(jobs: Sequence[Job], workers: int, told: Told) -> list[Done]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = _library("ray", "ray")
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1", logging_level="error")
    try:
        remote = ray.remote(num_cpus=1, max_retries=0)(answer)
        waiting = {remote.remote(*job): number for number, job in enumerate(jobs)}
        found: dict[int, Done] = {}
        left = list(waiting)
        while left:
            (first, *_), left = ray.wait(left, num_returns=1)
            number = waiting[first]
            try:
                done = done_of(ray.get(first))
            except ray.exceptions.WorkerCrashedError:
                done = _lost(jobs[number])
            found[number] = _heard(number, done, told)
        return [found[number] for number in range(len(jobs))]
    finally:
        ray.shutdown()


def _dask(jobs: Sequence[Job], workers: int, told: Told) -> list[Done]:
    distributed = _library("dask.distributed", "dask[distributed]")
    import dask

    quiet = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.logging.distributed": "error",
        "distributed.nanny.pre-spawn-environ": {},
    }
    with dask.config.set(quiet):
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1", silence_logs=logging.ERROR
        )
        client = distributed.Client(cluster)
        try:
            waiting = {client.submit(answer, *job, pure=False): number for number, job in enumerate(jobs)}
            found: dict[int, Done] = {}
            for future in distributed.as_completed(waiting):
                number = waiting[future]
                try:
                    done = done_of(future.result())
                except distributed.KilledWorker:
                    done = _lost(jobs[number])
                found[number] = _heard(number, done, told)
            return [found[number] for number in range(len(jobs))]
        finally:
            client.close()
            cluster.close()


def _library(name: str, distribution: str) -> Any:
    """A library of the extra `parallel`, else UsageError `parallel/missing-library` with the command that installs it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != name.split(".")[0]:
            raise
        raise UsageError(
            "parallel/missing-library",
            expected=f"the library {distribution}",
            came="none installed",
            do="pip install 'barsmith[parallel]', or use --backend loky",
            where="--backend",
        ) from None
