"""A run that dies at any moment of its writing, and the next run, which ends as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PROGRAM = f"""
import json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
import pyarrow.parquet, polars, yaml, filelock  # what is imported late
from test_runner import run, CALLS
from barsmith import artifacts
from barsmith.pipeline.store import Store

root = Path(sys.argv[1])
real = {{"fsync": os.fsync, "replace": Path.replace, "unlink": Path.unlink, "mkdir": Path.mkdir}}
steps = 0

def dying(name, at):
    def call(*args, **options):
        global steps
        if (steps := steps + 1) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real[name](*args, **options)
        if (steps := steps + 1) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

def act(folder):
    run(folder, raw=[4, 5, 6], labels={{"k_up": 2.0}}, random_seed=0)  # other inputs than before: everything is overwritten, one file goes

def data(folder):
    files = sorted(p for p in (folder / "data").rglob("*") if p.is_file())
    return {{str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != "state.json"}}  # which holds seconds

def before(folder):
    folder.mkdir()
    run(folder)

def child(work):
    number = os.fork()
    if number:
        return os.waitpid(number, 0)[1]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        work()
    except BaseException as problem:
        Path(root / "problem").write_text(repr(problem))
        os._exit(1)
    os._exit(0)

undisturbed, earlier = root / "undisturbed", root / "earlier"
assert child(lambda: (before(earlier), shutil.copytree(earlier, undisturbed), act(undisturbed))) == 0, (root / "problem").read_text()
wanted = data(undisturbed)
killed = torn = 0
for at in range(1, 1000, int(sys.argv[2])):
    folder = root / str(at)
    shutil.copytree(earlier, folder)
    def work():
        os.fsync = dying("fsync", at)
        for name in ("replace", "unlink", "mkdir"):
            setattr(Path, name, dying(name, at))
        act(folder)
    if not os.WIFSIGNALED(child(work)):
        break
    killed += 1
    store = Store(folder, "MES")
    torn += sum(not store.is_whole(entry) for entry in store.entries().values())
    assert child(lambda: act(folder)) == 0, (root / "problem").read_text()
    found = data(folder)
    assert found == wanted, (at, set(found) ^ set(wanted))
print(json.dumps([killed, torn]))
"""


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 9])
def test_a_run_killed_at_any_moment_leaves_nothing_torn_and_the_next_one_ends_as_if_undisturbed(every: int, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path), str(every)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    killed, torn = json.loads(done.stdout.splitlines()[-1])
    assert killed * every > 130
    assert torn == 0
