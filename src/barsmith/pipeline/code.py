"""The hash of a stage's code: its module and every barsmith module that it imports, however far away."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Sequence
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


class Sources:
    """barsmith's source files as they stand now, each read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, Path | None] = {}
        self._direct: dict[str, frozenset[str]] = {}
        self._digests: dict[Path, str] = {}

    def hash_of(self, function: Any) -> str:
        """SHA-256 over `files_of`."""
        return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in self.files_of(function).items()).encode()).hexdigest()

    def files_of(self, function: Any) -> dict[str, str]:
        """SHA-256 of the sources of the function's module and of all barsmith modules it imports, and of the tables beside them, by name."""
        modules = self.modules_of(function.__module__)
        rooms = {path.parent for path in modules.values() if path.is_relative_to(ROOT)} - {ROOT}
        tables = {str(table.relative_to(ROOT)): table for room in rooms for table in room.rglob("*.csv")}
        return {name: self._digest(path) for name, path in sorted((modules | tables).items())}

    def modules_of(self, module: str) -> dict[str, Path]:
        """Module name -> source file: `module` and what it imports from barsmith, transitively.

        A package that is imported itself, or a name from it that is none of its modules, stands for all its modules,
        because packages find some of them (the catalogue, the models) at run time.
        """
        found: dict[str, Path] = {}
        waiting = {module}
        while waiting:
            name = waiting.pop()
            path = self._file(name)
            if path is not None and name not in found:
                found[name] = path
                waiting |= self._imported(name, path) - found.keys()
        return found

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[path]

    def _file(self, module: str) -> Path | None:
        if module not in self._files:
            self._files[module] = _file_of(module)
        return self._files[module]

    def _imported(self, module: str, path: Path) -> frozenset[str]:
        if module not in self._direct:
            statements = _run_time_imports(ast.parse(path.read_bytes()).body)
            pairs = [pair for node in statements for pair in _pairs(node, module, path) if pair[0].split(".")[0] == PACKAGE]
            self._direct[module] = frozenset(name for pair in pairs for name in self._modules(*pair))
        return self._direct[module]

    def _modules(self, source: str, name: str) -> Iterator[str]:
        """What `from source import name` runs."""
        yield source
        inner = self._file(f"{source}.{name}")
        if inner is not None:
            yield f"{source}.{name}"
        package = self._file(source) if inner is None and source != PACKAGE else inner
        if package is not None and package.name == "__init__.py":
            for member in package.parent.rglob("*.py"):
                parts = member.relative_to(ROOT).with_suffix("").parts
                yield ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


def _file_of(module: str) -> Path | None:
    if module != PACKAGE and not module.startswith(PACKAGE + "."):
        source = getattr(sys.modules.get(module), "__file__", None)
        return Path(source) if source else None
    base = ROOT.joinpath(*module.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _pairs(node: ast.Import | ast.ImportFrom, module: str, path: Path) -> list[tuple[str, str]]:
    """(module, name) of each import; `import barsmith.a.b` is (barsmith.a, b)."""
    if isinstance(node, ast.Import):
        return [(alias.name.rpartition(".")[0], alias.name.rpartition(".")[2]) for alias in node.names]
    source = node.module or ""
    if node.level:
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        source = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    return [(source, alias.name) for alias in node.names]


def _run_time_imports(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports, in functions too, but those under `if TYPE_CHECKING:`."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
            continue
        is_for_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            if not (is_for_types and part == "body"):
                yield from _run_time_imports(getattr(node, part, ()))
