"""The hash of a stage's code: its module and every barsmith module that it imports, however far away."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import barsmith

PACKAGE = "barsmith"
ROOT = Path(barsmith.__file__).parent
LIBRARIES = ("numpy", "numba", "TA-Lib", "polars")
"""Libraries whose version is part of every stage's key: another version may give other bits."""


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def code_hash(function: Any) -> str:
    """SHA-256 over the sources of the function's module and of all barsmith modules it imports, and of the tables beside them."""
    modules = modules_of(function.__module__)
    tables = {table for path in modules.values() if path.is_relative_to(ROOT) for table in _tables(path.parent)}
    sources = {**modules, **{str(table.relative_to(ROOT)): table for table in tables}}
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _tables(room: Path) -> list[Path]:
    """The data that ships in a room, such as the calendars."""
    return [] if room == ROOT else [path for path in room.rglob("*.csv") if path.is_file()]


def modules_of(module: str) -> dict[str, Path]:
    """Module name -> source file: `module` and what it imports from barsmith, transitively.

    A name imported from a package itself, not from one of its modules, stands for the whole package, because
    packages find some of their modules (the catalogue, the models) at run time.
    """
    found: dict[str, Path] = {}
    waiting = {module}
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting |= set(_imported(path, name, path.stat().st_mtime_ns)) - set(found)
    return found


def _file(module: str) -> Path | None:
    if module != PACKAGE and not module.startswith(PACKAGE + "."):
        source = getattr(sys.modules.get(module), "__file__", None)
        return Path(source) if source else None
    base = ROOT.joinpath(*module.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@lru_cache(maxsize=1024)
def _imported(path: Path, module: str, changed: int) -> tuple[str, ...]:
    names: set[str] = set()
    for node in _run_time_nodes(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module, path)
            if source.split(".")[0] == PACKAGE:
                names |= set(_from(source, [alias.name for alias in node.names]))
    return tuple(sorted(names))


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def _from(source: str, names: list[str]) -> Iterator[str]:
    yield source
    for name in names:
        if _file(f"{source}.{name}") is not None:
            yield f"{source}.{name}"
        elif (path := _file(source)) is not None and path.name == "__init__.py" and source != PACKAGE:
            for member in path.parent.rglob("*.py"):
                relative = member.relative_to(ROOT).with_suffix("")
                yield ".".join([PACKAGE, *[part for part in relative.parts if part != "__init__"]])


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for other in node.orelse:
                yield other
                yield from _run_time_nodes(other)
            continue
        yield node
        yield from _run_time_nodes(node)
