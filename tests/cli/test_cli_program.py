"""How the command line is read, and what comes back where it cannot be."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from command import barsmith, environment, process

VERBS = (
    "demo",
    "doctor",
    "simulate",
    "inspect",
    "run",
    "rerun",
    "status",
    "diff",
    "validate",
    "features",
    "models",
    "train",
    "bundle",
    "predict",
    "stream",
    "parity",
)
HEAVY = (
    "sklearn",
    "torch",
    "xgboost",
    "lightgbm",
    "catboost",
    "skops",
    "mlflow",
    "sqlalchemy",
    "plotly",
    "scipy.stats",
    "scipy.linalg",
    "scipy.sparse",
)
FRAMES = ("numpy", "pandas", "polars", "pyarrow", "numba", "talib", "scipy")


def imports(*words: str) -> set[str]:
    """The modules that a command has imported when it ends, of those that this file watches."""
    code = f"import sys; from barsmith.cli import main; code = main({list(words)!r}); print([m for m in {[*HEAVY, *FRAMES]!r} if m in sys.modules], code, file=sys.stderr)"
    done = process(launch=[sys.executable, "-c", code])
    found, code = re.search(rb"(\[.*\]) (\d)\s*$", done.stderr).groups()  # type: ignore[union-attr]
    assert code == b"0"
    return set(json.loads(found.replace(b"'", b'"')))


def test_no_arguments_print_help_and_exit_2() -> None:
    done = barsmith()
    assert done.code == 2
    assert "Usage: barsmith" in done.out
    assert done.err == ""


def test_a_family_without_a_verb_prints_its_help_and_exits_2() -> None:
    done = barsmith("features")
    assert done.code == 2
    assert "describe" in done.out


def test_no_verb_under_json_is_one_error_object() -> None:
    assert barsmith("--json").error["code"] == "cli/usage"
    assert barsmith("--json", "bundle").error["code"] == "cli/usage"


def test_help_lists_every_verb_and_no_other() -> None:
    done = barsmith("--help")
    listed = re.findall(r"^│ ([a-z]+) ", done.out, re.M)
    assert done.code == 0
    assert sorted(listed) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_takes_a_workspace(verb: str) -> None:
    done = barsmith(verb, "--help")
    assert done.code == 0
    if verb in ("features", "models", "bundle"):
        inner = re.findall(r"^│ ([a-z]+) ", done.out, re.M)
        assert all("--workspace" in barsmith(verb, each, "--help").out for each in inner)
    else:
        assert "--workspace" in done.out


def test_help_works_beside_a_broken_settings_file(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pipeline.yaml").write_text("symbol: [")
    done = process("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_imports_nothing_heavy() -> None:
    assert imports("--help") == set()


def test_the_list_of_models_imports_no_model_and_no_frames() -> None:
    assert imports("models", "list") <= {"numpy"}


def test_the_list_of_features_imports_no_learning_library() -> None:
    assert imports("features", "list") & set(HEAVY) == set()


def test_version_names_the_build() -> None:
    text, machine = barsmith("--version"), barsmith("--version", "--json")
    assert (text.code, machine.code) == (0, 0)
    assert re.fullmatch(r"barsmith \d+\.\d+\.\d+, build [0-9a-f]{12}, Python \d+\.\d+\.\d+\n", text.out)
    assert machine.json["build"] in text.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["rnu"], "cli/usage", "did you mean run"),
        (["bundle", "creat"], "cli/usage", "did you mean create"),
        (["status", "x", "--worksapce", "y"], "cli/usage", "did you mean --workspace"),
        (["status", "x", "--set", "a=b"], "cli/usage", "--set"),
        (["--set", "a=b", "status", "x"], "cli/usage", "--set"),
        (["features", "describe"], "cli/usage", "NAME"),
        (["status", "one", "two"], "cli/usage", "two"),
        (["train", "--model"], "cli/usage", "a value after --model"),
        (["train", "--model", "--set", "a=b"], "cli/usage", "a value after --model"),
        (["train", "--model", "x", "--horizon", "soon"], "cli/type", "--horizon"),
        (["train", "--model", "x", "--horizon", "0"], "cli/type", "--horizon"),
        (["train", "--model", "lstm", "--seq-len", "10001"], "cli/type", "one that is not less than or equal to 10000"),
        (["train"], "cli/usage", "--model"),
        (["train", "--model", "a", "--model", "b"], "cli/usage", "--model once"),
        (["--workspace", ".", "train", "--model", "a", "--workspace", "."], "cli/usage", "--workspace once"),
        (["predict", "--bundle", "b", "--bars", "f", "--input", "f", "--out", "o"], "cli/usage", "--input once"),
        (["simulate", "--start", "2024-13-01"], "cli/date", "2024-13-01"),
        (["status", "x", "--workspace", "/nowhere"], "cli/path", "/nowhere"),
        (["status", "x", "--workspace", __file__], "cli/path", "something else"),
        (["--version", "run"], "cli/usage", "--version alone"),
        (["status", "caf\udce9"], "cli/encoding", "\\udce9"),
    ],
)
def test_a_wrong_command_line_is_refused_with_exit_2(words: list[str], code: str, says: str) -> None:
    told, machine = barsmith(*words), barsmith(*words, "--json")
    assert (told.code, machine.code) == (2, 2)
    assert told.out == ""
    assert f"[{code}]" in told.err
    assert machine.error["code"] == code
    assert says in " ".join(machine.error.values())
    assert set(machine.error) == {"code", "expected", "came", "do", "where"}


def test_json_may_stand_anywhere() -> None:
    assert (
        barsmith("models", "list", "--json").json == barsmith("--json", "models", "list").json == barsmith("models", "--json", "list").json
    )


def test_program_options_may_stand_before_the_verb(tmp_path: Path) -> None:
    assert barsmith("--workspace", tmp_path, "bundle", "list", "--json").json == {"bundles": []}


def test_bytes_that_are_not_utf_8_are_refused_and_shown_escaped() -> None:
    done = process(b"status", b"caf\xe9")
    assert done.returncode == 2
    assert b"caf\\udce9" in done.stderr
    assert b"\xe9" not in done.stderr


def test_control_characters_in_names_reach_no_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\x07\r\nall is well"
    done = barsmith("features", "describe", evil, "--workspace", tmp_path)
    listing = tmp_path / "bundles" / "\x1b[31mred"
    listing.mkdir(parents=True)
    assert done.code == 2
    assert "\x1b" not in done.err + barsmith("bundle", "list", "--workspace", tmp_path).out
    assert done.err.count("\n") == 1


def test_a_hundred_thousand_arguments_are_refused_at_once() -> None:
    done = barsmith("predict", *[f"bars{i}.parquet" for i in range(100_000)], "--json")
    assert (done.code, done.error["code"]) == (2, "cli/usage")
    assert len(done.out) < 2000


def test_a_pipe_gets_no_colour_and_no_cut_cells(tmp_path: Path) -> None:
    done = process("models", "list", cwd=tmp_path, env=environment(COLUMNS="20", FORCE_COLOR=None, TERM="xterm-256color"))
    assert b"\x1b" not in done.stdout
    assert b"Gradient-boosted trees, one for each class and round." in done.stdout


def test_optimised_python_refuses_what_python_refuses(tmp_path: Path) -> None:
    launch = [sys.executable, "-OO", "-m", "barsmith"]
    assert process("--json", "run", "--symbols", "mes", launch=launch, cwd=tmp_path).returncode == 2
    assert process("status", "a", "b", launch=launch, cwd=tmp_path).returncode == 2
