"""Where each stage's value lies in the workspace, how it is written and how it is read back to the same value.

A value is a frozen dataclass whose fields are frames, minutes, frames by name, or what JSON can say; a field is one file.
`data/stages/{SYMBOL}/state.json` records for each stage its key and the SHA-256 of its files: what does not match is not read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from barsmith.artifacts import (
    FileRecord,
    canonical_json,
    locked,
    parse_json,
    read_json,
    read_parquet,
    read_sealed,
    read_verified,
    storage_errors,
    write_json,
    write_parquet,
    write_sealed,
)
from barsmith.config import safe_name
from barsmith.errors import DataError, IntegrityError

SCHEMA = 1

LAYOUT = {
    "clean.minutes": "data/processed/{symbol}/1m.parquet",
    "sessions.base": "data/processed/{symbol}/{name}.parquet",
    "mtf.rungs": "data/processed/{symbol}/{name}.parquet",
    "mtf.features": "data/features/{symbol}/features.parquet",
    "splits.split": "data/splits/scaled/{symbol}/split_config.json",
    "scaling.train": "data/splits/scaled/{symbol}/train_scaled.parquet",
    "scaling.val": "data/splits/scaled/{symbol}/val_scaled.parquet",
    "scaling.test": "data/splits/scaled/{symbol}/test_scaled.parquet",
    "scaling.between": "data/splits/scaled/{symbol}/between_scaled.parquet",
    "scaling.scaler": "data/splits/scaled/{symbol}/feature_scaler.json",
}
"""Fields whose place others know; every other field lies in data/stages/{symbol}/."""


@dataclass(frozen=True)
class Entry:
    """What the state says about a finished stage. files: path in the workspace -> sha256 and size."""

    key: str
    seconds: float
    rows: int | None
    files: Mapping[str, Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        return {"key": self.key, "seconds": self.seconds, "rows": self.rows, "files": {k: dict(v) for k, v in self.files.items()}}


class Store:
    """The artifacts of one symbol in one workspace."""

    def __init__(self, workspace: Path, symbol: str) -> None:
        self.workspace, self.symbol = workspace, safe_name(symbol, "symbol", "config/symbol")
        self.folder = workspace / "data" / "stages" / symbol
        self.state_file = self.folder / "state.json"

    @contextlib.contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[None]:
        """Nobody else writes or reads these artifacts while the block runs; BusyError says who holds them.

        What a killed process left half-written is swept away first: nothing but its temporary files can be.
        """
        with locked(self.folder / "lock", f"the data of {self.symbol} in this workspace", wait=wait):
            places = {self.folder, *((self.workspace / place.format(symbol=self.symbol, name="")).parent for place in LAYOUT.values())}
            for rest in {rest for place in places for rest in place.rglob(".*.tmp")}:
                with storage_errors(rest, "remove the file"):
                    rest.unlink(missing_ok=True)
            yield

    def entries(self) -> dict[str, Entry]:
        """The finished stages by name."""
        return {name: Entry(**entry) for name, entry in self._state()["stages"].items()}

    def begin(self, stage: str, files: Iterable[str]) -> None:
        """Before the first of `files` is written: forget the stage's earlier result, but not which files may lie about."""
        state = self._state()
        earlier = state["stages"].pop(stage, {"files": {}})["files"]
        state["unfinished"][stage] = sorted({*earlier, *files, *state["unfinished"].get(stage, ())})
        write_sealed(self.state_file, state)

    def finish(self, stage: str, entry: Entry) -> None:
        """After the last of its files is written: remove what only earlier results had, and record the stage as finished."""
        state = self._state()
        state["stages"][stage] = entry.as_dict()
        owned = {name for one in state["stages"].values() for name in one["files"]}
        for name in set(state["unfinished"].pop(stage, ())) - owned:
            with storage_errors(self.workspace / name, "remove the file"):
                (self.workspace / name).unlink(missing_ok=True)
        write_sealed(self.state_file, state)

    def _state(self) -> dict[str, Any]:
        if not self.state_file.exists():
            return {"schema": SCHEMA, "symbol": self.symbol, "stages": {}, "unfinished": {}}
        state = read_sealed(self.state_file)
        if state.get("schema") != SCHEMA or state.get("symbol") != self.symbol:
            raise IntegrityError(
                "integrity/state",
                expected=f"the state of {self.symbol}, schema {SCHEMA}",
                came=f"one of {state.get('symbol')}, schema {state.get('schema')}",
                do=f"delete {self.state_file.relative_to(self.workspace)} and run the pipeline again",
                where=str(self.state_file),
            )
        return state

    def changed_files(self, entry: Entry) -> list[str]:
        """The files of the entry that are gone or not what was written."""
        found = []
        for name, record in entry.files.items():
            try:
                read_verified(self.workspace / name, record, keep=False)
            except IntegrityError:
                found.append(name)
        return found

    def is_whole(self, entry: Entry) -> bool:
        """Every file of the entry is there and unchanged."""
        return not self.changed_files(entry)

    def made_of_file(self, stage: str) -> str:
        return f"data/stages/{self.symbol}/{stage}/made_of.json"

    def write_made_of(self, stage: str, made_of: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the stage was made of, as one more of its files."""
        path = self.made_of_file(stage)
        return {path: write_json(self.workspace / path, {"symbol": self.symbol, **made_of}).as_dict()}

    def made_of(self, stage: str, entry: Entry) -> dict[str, Any] | None:
        """What a finished stage was made of: settings, versions, code, inputs, given; None where that was not recorded or was changed."""
        path = self.made_of_file(stage)
        try:
            found: dict[str, Any] = read_json(self.workspace / path, self._record(path, entry))
        except IntegrityError:
            return None
        return found

    def write(self, stage: str, value: Any) -> dict[str, dict[str, Any]]:
        """Every field of a stage's value to its file; {path in the workspace: {sha256, size}}.

        A value's own `roles` (column -> role) go into the metadata of its frames as well.
        """
        roles = getattr(value, "roles", {})
        return {path: self._write(self.workspace / path, kind, part, roles).as_dict() for path, kind, part in self._parts(stage, value)}

    def files_of(self, stage: str, value: Any) -> list[str]:
        """The files that `write` would write, by their paths in the workspace."""
        return [path for path, _, _ in self._parts(stage, value)]

    def _parts(self, stage: str, value: Any) -> Iterator[tuple[str, str, Any]]:
        for field, kind in fields_of(type(value)).items():
            content = getattr(value, field)
            for name, part in content.items() if kind == "frames" else [("", content)]:
                yield self.path(stage, field, name, "json" if kind == "json" else "parquet"), kind, part

    def _write(self, path: Path, kind: str, part: Any, roles: Mapping[str, str]) -> FileRecord:
        if kind == "minutes":
            return write_parquet(path, part.to_frame(), symbol=self.symbol, about={"names": list(part.names)})
        if kind in ("frame", "frames"):
            return write_parquet(path, part, symbol=self.symbol, roles={name: roles[name] for name in part.columns if name in roles})
        if parse_json(canonical_json(part), str(path)) != part:
            raise TypeError(f"{path.name}: a JSON field must read back as it was written (no tuples, no numbers as keys)")
        return write_json(path, {"symbol": self.symbol, "value": part}, sort_keys=False)  # a resumed run lists things in the same order

    def read(self, stage: str, makes: type, entry: Entry) -> Any:
        """The value of a finished stage, every file compared with its record and with the symbol."""
        return makes(**{field: self.read_field(stage, makes, field, entry) for field in fields_of(makes)})

    def read_field(self, stage: str, makes: type, field: str, entry: Entry, columns: Sequence[str] | None = None) -> Any:
        """One field of a finished stage's value, or these columns of a frame; the files of the others are not touched."""
        kind = fields_of(makes)[field]
        if kind == "json":
            return self._json(self.path(stage, field, "", "json"), entry)
        if kind == "frames":
            template = self.path(stage, field, "{name}", "parquet")
            head, tail = template.split("{name}")
            names = [path[len(head) : -len(tail)] for path in entry.files if path.startswith(head) and path.endswith(tail)]
            return {name: self._parquet(head + name + tail, entry)[0] for name in names}
        frame, about = self._parquet(self.path(stage, field, "", "parquet"), entry, columns)
        return frame if kind == "frame" else _minutes(frame, about)

    def _record(self, path: str, entry: Entry) -> Mapping[str, Any]:
        if path in entry.files:
            return entry.files[path]
        raise IntegrityError("integrity/missing", expected=f"{path} in the state", came="none", do="run the pipeline again", where=path)

    def _json(self, path: str, entry: Entry) -> Any:
        content = read_json(self.workspace / path, self._record(path, entry))
        if content["symbol"] != self.symbol:
            raise IntegrityError(
                "integrity/symbol",
                expected=f"an artifact of {self.symbol}",
                came=f"one of {content['symbol']}",
                do="run the pipeline",
                where=path,
            )
        return content["value"]

    def _parquet(self, path: str, entry: Entry, columns: Sequence[str] | None = None) -> tuple[Any, dict[str, Any]]:
        return read_parquet(self.workspace / path, self._record(path, entry), symbol=self.symbol, columns=columns)

    def path(self, stage: str, field: str, name: str, suffix: str) -> str:
        """A field's file, relative to the workspace."""
        default = f"data/stages/{{symbol}}/{stage}/{field}{'/{name}' if name else ''}.{suffix}"
        return LAYOUT.get(f"{stage}.{field}", default).replace("{symbol}", self.symbol).replace("{name}", name or "{name}")


def fields_of(makes: type) -> dict[str, str]:
    """How each field of a stage's value is stored: frame, frames (by name), minutes or json."""
    if not dataclasses.is_dataclass(makes):
        raise TypeError(f"a stage makes a dataclass, not {makes}")
    hints = get_type_hints(makes)
    return {field.name: _kind(hints[field.name]) for field in dataclasses.fields(makes)}


def _kind(hint: Any) -> str:
    if isinstance(hint, types.GenericAlias) and get_origin(hint) is dict and _kind(get_args(hint)[1]) == "frame":
        return "frames"
    name = getattr(hint, "__name__", "")
    return {"DataFrame": "frame", "Minutes": "minutes"}.get(name, "json")


def _minutes(frame: Any, about: Mapping[str, Any]) -> Any:
    from barsmith.bars.minutes import Minutes

    return Minutes.from_frame(frame, tuple(about["about"]["names"]))


def no_data(symbol: str, what: str) -> DataError:
    """The error of a command that needs a finished stage where there is none."""
    return DataError("data/not-run", expected=f"{what} of {symbol}", came="none", do=f"run `barsmith run --symbols {symbol}` first")
