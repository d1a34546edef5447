"""The plan of the house, kept true: who may import whom, how long a file may be, what is never used."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "barsmith"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LATE = {
    *("sklearn", "xgboost", "lightgbm", "catboost", "skops", "torch", "safetensors", "mlflow", "sqlalchemy", "alembic"),
    *("plotly", "scipy", "pandas", "pywt", "filelock", "optuna", "threadpoolctl", "joblib", "ray", "dask"),
}
"""Libraries that are imported inside the function which needs them."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def imports_of(path: Path, *, top: bool = False) -> Iterator[str]:
    """The libraries a file imports; top: only those that come with the import of the file itself."""
    tree = ast.parse(path.read_bytes())
    for node in ast.iter_child_nodes(tree) if top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def test_a_room_imports_only_from_the_rooms_before_it() -> None:
    told = lint_imports(ROOT)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("bars/minutes.py", "import barsmith.pipeline.api", "barsmith.bars is not allowed to import barsmith.pipeline"),
        ("errors.py", "from barsmith.config import Settings", "barsmith.errors is not allowed to import barsmith.config"),
        ("serving/bundle.py", "def late():\n    from barsmith.testing import models", "not allowed to import barsmith.testing"),
        ("utils.py", "", "barsmith.utils"),
    ],
)
def test_a_planted_import_against_the_order_is_caught(file: str, line: str, told: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "barsmith", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    with (tmp_path / "barsmith" / file).open("a") as source:
        source.write(f"\n{line}\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1
    assert told in found.stdout


def test_no_file_is_longer_than_650_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 650}
    assert long == {}


def test_every_file_begins_with_what_it_is_about() -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in SOURCES if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert silent == []


def test_nothing_is_ever_pickled() -> None:
    never = {"pickle", "joblib", "shelve", "dill", "cloudpickle", "marshal"}
    used = {path.name: names for path in SOURCES if (names := never & set(imports_of(path)))}
    assert used == {"parallel.py": {"joblib"}}  # which takes its processes, and writes nothing
    assert "from joblib.externals.loky import ProcessPoolExecutor" in (PACKAGE / "parallel.py").read_text()


def test_no_room_is_a_drawer_for_everything() -> None:
    assert {path.stem for path in PACKAGE.rglob("*")} & {"utils", "util", "common", "core", "helpers", "misc"} == set()


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    networks = PACKAGE / "models" / "neural"  # written in PyTorch from the first line on, and imported when a network is asked for
    late = {path: LATE - {"torch"} if path.parent == networks else LATE for path in SOURCES}
    assert {str(path): early for path in SOURCES if (early := late[path] & set(imports_of(path, top=True)))} == {}


def test_importing_barsmith_imports_nothing_heavy() -> None:
    heavy = ["numpy", "polars", "sklearn", "scipy", "torch", "pandas", "pyarrow", "numba", "talib", "xgboost", "plotly"]
    code = f"import barsmith, sys; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_the_settings_of_the_clone_are_the_defaults_of_the_package() -> None:
    shipped, own = PACKAGE / "defaults", ROOT / "config"
    names = sorted(str(path.relative_to(shipped)) for path in shipped.rglob("*.yaml"))
    assert names == sorted(str(path.relative_to(own)) for path in [own / "pipeline.yaml", *(own / "models").glob("*.yaml")])
    assert [name for name in names if (shipped / name).read_bytes() != (own / name).read_bytes()] == []


def declared(*extras: str) -> set[str]:
    """The distributions that `pip install barsmith[extras]` asks for by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (["src", "scripts", "examples"], ["parallel", "catboost", "neural", "track"]),
        (["tests", "tools"], ["test", "catboost", "neural"]),
        (["bench"], ["test", "bench", "catboost", "neural"]),
    ],
)
def test_what_is_imported_is_installed_by_the_commands_of_the_readme(folders: list[str], extras: list[str]) -> None:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    beside = {path.stem for path in files} | {path.parent.name for path in files} | {"barsmith"} | sys.stdlib_module_names
    parts_of_pydantic = {"pydantic-core", "annotated-types"}
    known, asked = packages_distributions(), declared(*extras) | parts_of_pydantic
    imported = {(name, str(path.relative_to(ROOT))) for path in files for name in imports_of(path) if name not in beside}
    strange = {(name, path) for name, path in imported if not asked & {canonicalize_name(dist) for dist in known.get(name, [name])}}
    assert strange == set()


def test_what_make_install_brings_is_pinned() -> None:
    """The closure of the dev extra, as the installed packages declare it, has a version in constraints.txt."""
    pinned = {canonicalize_name(Requirement(line).name) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"}
    reached, waiting = set(), declared("test", "lint")
    while waiting:
        name = waiting.pop()
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # a package of another platform
            continue
        reached.add(name)
        needed = [Requirement(line) for line in lines]
        waiting |= {canonicalize_name(one.name) for one in needed if not one.marker or one.marker.evaluate({"extra": ""})} - reached
    assert reached - pinned == set()


def test_no_two_test_files_have_the_same_name() -> None:
    """pytest imports them by their bare names, one of two by the other's."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
