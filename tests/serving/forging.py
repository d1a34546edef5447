"""Somebody who changes a bundle and corrects every hash and the digest: what only a look at the contents can find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from barsmith.artifacts import canonical_json, record_of
from barsmith.serving.bundle_record import FILE, digest_of

Record = dict[str, Any]


def record_in(folder: Path) -> Record:
    found: Record = json.loads((folder / FILE).read_bytes())
    return found


def signed(record: Record) -> bytes:
    return canonical_json({**record, "digest": digest_of(record)})


def forge(folder: Path, change: Callable[[Record], object] = lambda record: None) -> Path:
    """Let `change` edit the record, then make the hashes of all files and the digest right again."""
    record = record_in(folder)
    record["files"] = {str(path.relative_to(folder)): record_of(path).as_dict() for path in _regular(folder)}
    change(record)
    (folder / FILE).write_bytes(signed(record))
    return folder


def forge_json(folder: Path, file: str, change: Callable[[Any], object]) -> Path:
    """The same for what a JSON file of the bundle says."""
    content = json.loads((folder / file).read_bytes())
    change(content)
    (folder / file).write_bytes(canonical_json(content))
    return forge(folder)


def forge_bytes(folder: Path, file: str, data: bytes) -> Path:
    (folder / file).write_bytes(data)
    return forge(folder)


def _regular(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILE)
