"""How a command ends when the world does not let it finish: pipes, disks, signals, and errors that nobody foresaw."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import LAUNCH, Walked, barsmith, environment, process, started

from barsmith.cli import problems
from barsmith.pipeline import api

FULL = Path("/dev/full")
TRACEBACK = b"Traceback"


@pytest.mark.parametrize("words", [["models", "list"], ["--json", "models", "list"], ["--help"], ["features"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = process(*words, stdout=writing, cwd=tmp_path)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["models", "list"], ["--json", "models", "list"], ["--help"], ["--json", "nosuchverb"]])
def test_a_full_disk_under_standard_output_is_told_on_standard_error(words: list[str], tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        done = process(*words, stdout=full, cwd=tmp_path)
    assert TRACEBACK not in done.stderr
    if "nosuchverb" in words:
        assert (done.returncode, done.stderr.count(b"cli/usage")) == (2, 1)
    else:
        assert (done.returncode, done.stderr.count(b"[io/no-space]")) == (5, 1)


def test_closed_standard_streams_are_no_error(tmp_path: Path) -> None:
    done = process("models", "list", launch=["sh", "-c", '"$@" >&- 2>&- <&-', "sh", *LAUNCH], cwd=tmp_path)
    assert done.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_that_the_same_command_takes_up_again(
    number: signal.Signals, code: int, walked: Walked, tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "raw" / "MES_1m.parquet"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(walked.raw.read_bytes())
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pipeline.yaml").write_bytes((walked.workspace / "config" / "pipeline.yaml").read_bytes())
    running = started("--json", "run", "--symbols", "MES", "--workspace", tmp_path)
    assert running.stderr is not None
    for line in running.stderr:
        if b"clean done" in line:
            break
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, json.loads(out)["error"]["code"]) == (code, "cli/stopped")
    assert TRACEBACK not in err
    run_id = next((tmp_path / "runs").iterdir()).name
    state = barsmith("--json", "status", run_id, "--workspace", tmp_path).json
    assert state["status"] == "stopped"
    assert not list(tmp_path.rglob("*.tmp"))
    stages = {stage["name"]: stage["status"] for stage in barsmith("--json", "run", "--workspace", tmp_path).json["stages"]}
    assert (stages["ingest"], stages["clean"], stages["reporting"]) == ("cached", "cached", "done")


def test_a_second_signal_does_not_wait() -> None:
    code = (
        "import os, signal, sys, time\n"
        "from barsmith.cli.signals import stoppable\n"
        "with stoppable():\n"
        "    try:\n"
        "        print('ready', flush=True); time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaning', flush=True); time.sleep(60)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    for word in (b"ready\n", b"cleaning\n"):
        assert running.stdout.readline() == word
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
    assert (running.wait(timeout=20), running.communicate()[1]) == (130, b"")


def test_a_command_leaves_the_signal_handlers_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    barsmith("models", "list")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


class TestAnErrorThatNobodyForesaw:
    """A planted mistake of barsmith's own."""

    @pytest.fixture(autouse=True)
    def mistake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(workspace: Path, run_id: str) -> Any:
            raise ZeroDivisionError(f"planted in {run_id}")

        monkeypatch.setattr(api, "status", broken)

    def test_is_one_line_and_a_log_with_the_whole_story(self, tmp_path: Path) -> None:
        done = barsmith("status", "some-run", "--workspace", tmp_path)
        (log,) = (tmp_path / "logs").iterdir()
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "ZeroDivisionError: planted in some-run" in done.err
        assert str(log) in done.err
        story = log.read_text()
        assert "Traceback" in story
        assert "some-run" in story

    def test_is_an_error_object_under_json(self, tmp_path: Path) -> None:
        done = barsmith("--json", "status", "some-run", "--workspace", tmp_path)
        assert (done.code, done.error["code"]) == (1, "internal/error")
        assert Path(done.error["where"]).is_file()

    def test_goes_to_the_temporary_folder_where_the_workspace_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        workspace, spare = tmp_path / "workspace", tmp_path / "spare"
        workspace.mkdir()
        spare.mkdir()
        (workspace / "logs").write_text("a file where the folder should be")
        monkeypatch.setattr(problems.tempfile, "gettempdir", lambda: str(spare))
        assert str(spare) in barsmith("status", "some-run", "--workspace", workspace).err
        assert len(list(spare.iterdir())) == 1


@pytest.mark.parametrize(
    ("problem", "code", "exit_code"),
    [
        (OSError(28, "No space left on device"), "io/no-space", 5),
        (OSError(24, "Too many open files", "bars.parquet"), "io/limit", 5),
        (PermissionError(13, "Permission denied", "bars.parquet"), "io/read-only", 5),
        (MemoryError(), "io/limit", 5),
        (KeyboardInterrupt(), "cli/stopped", 130),
        (SystemExit("a user's file said so"), "internal/error", 1),
    ],
)
def test_what_python_raises_is_told_in_the_form_of_all_errors(
    problem: BaseException, code: str, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(workspace: Path, run_id: str) -> Any:
        raise problem

    monkeypatch.setattr(api, "status", failing)
    done = barsmith("--json", "status", "x", "--workspace", tmp_path)
    assert (done.code, done.error["code"]) == (exit_code, code)


def test_no_home_is_needed(tmp_path: Path) -> None:
    done = process("--json", "features", "list", cwd=tmp_path, env=environment(HOME=None, XDG_CACHE_HOME=None))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_home_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the home should be")
    done = process("--json", "models", "list", cwd=tmp_path, env=environment(HOME=str(home), XDG_CACHE_HOME=str(home)))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_output_that_cannot_hold_a_letter_gets_its_escape(encoding: str, tmp_path: Path) -> None:
    done = process("status", "na\u00efve\u2603", "--workspace", tmp_path, env=environment(PYTHONIOENCODING=encoding))
    assert done.returncode == 2
    assert TRACEBACK not in done.stderr


def test_a_bar_is_drawn_only_where_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    from barsmith.cli.progress import timed

    seen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", seen)
    with timed("counting") as tell:
        tell(0.5)
    assert re.fullmatch(r"counting: 0\.\d s\n", seen.getvalue())
