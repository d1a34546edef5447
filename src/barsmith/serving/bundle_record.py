"""What stands in a bundle's `bundle.json`, and how a folder is checked against it before anything in it is used."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from barsmith.artifacts import canonical_json, parse_json, read_verified, storage_errors
from barsmith.bars.minutes import moment
from barsmith.bars.timestamps import EARLIEST, LATEST
from barsmith.config import TIMEFRAMES, LabelSettings, shown
from barsmith.errors import IntegrityError, UsageError
from barsmith.features.events import Events
from barsmith.features.past import Window
from barsmith.labels.making import event_bars

FILE = "bundle.json"
SCHEMA_VERSION = 1
LIBRARIES = ("numpy", "numba", "TA-Lib", "polars")  # whose versions may change a last bit
MAX_RECORD_BYTES = 4 << 20
Text = Annotated[str, Field(max_length=4096)]
Name = Annotated[str, Field(max_length=200)]
Key = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _ascending(times: list[int]) -> list[int]:
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("times are ascending, each once")
    return times


EventKind = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]{0,39}$")]
EventTimes = Annotated[list[Annotated[int, Field(ge=EARLIEST, lt=LATEST)]], Field(min_length=1), AfterValidator(_ascending)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileEntry(Strict):
    sha256: Hash
    size: Annotated[int, Field(ge=0)]


class FeatureEntry(Strict):
    """A feature of the bundle, in the model's order; the fingerprint is that of its definition."""

    name: Name
    fingerprint: Key
    warmup_bars: Annotated[int, Field(ge=1)]
    timeframe: Name


class LearnedEntry(Strict):
    """What one node of the features learned from the training bars; keyed by a hash of the node."""

    what: Text
    timeframe: Name
    rows: Annotated[int, Field(ge=1)]
    params: list[float]


class CodeEntry(Strict):
    """A file of the user's that defines features or a model: looked for in the workspace, never run from the bundle."""

    path: Text
    sha256: Hash


class WindowEntry(Strict):
    """What the model is handed at each decision: `barsmith.features.past.Window`."""

    reads: Literal["tabular", "sequence", "multires"]
    length: Annotated[int, Field(ge=1, le=10_000)]
    within_session: bool
    timeframes: Annotated[list[Literal[*TIMEFRAMES]], Field(max_length=len(TIMEFRAMES))]  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.timeframes) != (self.reads == "multires") or (self.reads == "tabular" and self.length != 1):
            raise ValueError(f"timeframes and a length as a model of {self.reads} has them")
        if self.timeframes != sorted(set(self.timeframes), key=TIMEFRAMES.__getitem__):
            raise ValueError("timeframes from short to long, each once")
        return self

    def window(self) -> Window:
        return Window(self.reads, self.length, self.within_session, tuple(self.timeframes))


class BundleRecord(Strict):
    schema_version: int
    name: Name
    symbol: Name
    horizon: Annotated[int, Field(ge=1)]
    model: Name
    family: Name
    created: AwareDatetime
    barsmith: Name
    versions: dict[Name, Name]
    maths: Name
    settings: dict[str, Any]
    window: WindowEntry
    features: list[FeatureEntry]
    learned: dict[Key, LearnedEntry]
    events: dict[EventKind, EventTimes]
    feature_code: list[CodeEntry]
    model_code: list[CodeEntry]
    classes: list[int]
    contracts: list[Name]
    trained: dict[Name, Text]
    files: dict[Name, FileEntry]
    digest: Hash


def digest_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json({k: v for k, v in record.items() if k != "digest"})).hexdigest()


def maths_fingerprint() -> str:
    """A hash of what this machine's log, exp, tanh and their like return: their last bits differ between processors."""
    from barsmith.features.pointwise import POINTWISE
    from barsmith.features.steps import Running

    x = np.linspace(1e-3, 40.0, 4001)
    bits = hashlib.sha256(np.exp(x).tobytes())
    for name in ("log", "tanh", "sin", "cos", "sqrt"):
        bits.update(np.ascontiguousarray(Running(POINTWISE[name], np.empty(0)).over(x)).tobytes())
    return bits.hexdigest()[:16]


def bad(code: str, expected: str, came: str, do: str, where: str = FILE) -> IntegrityError:
    return IntegrityError(code, expected=expected, came=came, do=do, where=where)


def read_record(folder: Path) -> BundleRecord:
    """The checked record of a bundle: structure first, then every file's size and SHA-256. Nothing else of the bundle is read.

    Raises UsageError `bundle/not-found` where there is no folder; IntegrityError `bundle/...` or `integrity/...` for anything wrong in it.
    """
    if "://" in str(folder) or str(folder).startswith(("runs:", "models:")) or not is_folder(folder):
        raise UsageError(
            "bundle/not-found",
            expected="a bundle's folder",
            came=ascii(str(folder))[:120],
            do="make one with `barsmith bundle create`, or `barsmith bundle list`",
        )
    names = listed(folder)
    if FILE not in names:
        raise bad("bundle/not-found", f"a folder with {FILE}", f"{len(names)} other files", "create the bundle again", str(folder))
    if (folder / FILE).stat().st_size > MAX_RECORD_BYTES:
        raise bad("bundle/manifest", f"at most {MAX_RECORD_BYTES} bytes", "more", "create the bundle again")
    with storage_errors(folder / FILE, "read the file"):
        raw = (folder / FILE).read_bytes()
    value = parse_json(raw, FILE, code="bundle/manifest")
    if not isinstance(value, dict):
        raise bad("bundle/manifest", "a JSON object", type(value).__name__, "create the bundle again")
    if value.get("schema_version") != SCHEMA_VERSION:
        raise bad(
            "bundle/version",
            f"schema_version {SCHEMA_VERSION}",
            repr(value.get("schema_version"))[:60],
            "use the barsmith that made the bundle",
        )
    if value.get("classes") != [-1, 0, 1]:
        raise bad("bundle/classes", "classes [-1, 0, 1]", repr(value.get("classes"))[:60], "create the bundle again")
    try:
        record = BundleRecord.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:120]
        raise bad(
            "bundle/manifest", f"a bundle's record ({place}: {first['msg'][:120]})", ascii(first["input"])[:80], "create the bundle again"
        ) from None
    check_files(folder, record, names)
    if canonical_json(value) != raw or record.digest != digest_of(value):
        raise bad("integrity/mismatch", "the record as it was written", "a changed one", "create the bundle again")
    return record


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long for any folder
        return False


def listed(folder: Path) -> set[str]:
    """Every file below the folder, by its path in it; links, devices and files of two names are refused."""
    found: set[str] = set()
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            status = path.lstat()
            where = str(path.relative_to(folder))
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                raise bad("bundle/special-file", "regular files only", "a link or a device", "create the bundle again", where)
            if status.st_nlink > 1:
                raise bad("bundle/hardlink", "files with one name", f"{status.st_nlink} names", "copy the bundle file by file", where)
            found.add(where)
    return found


def check_files(folder: Path, record: BundleRecord, names: set[str]) -> None:
    for name in record.files:
        if name.startswith("/") or ".." in Path(name).parts or "\\" in name:
            raise bad("bundle/manifest", "paths inside the bundle", ascii(name)[:80], "create the bundle again")
        if name not in names:
            raise bad("bundle/missing-file", f"the file {ascii(name)[:80]}", "none", "create the bundle again", str(folder))
    extra = sorted(names - set(record.files) - {FILE})
    if extra:
        raise bad("bundle/unlisted-file", "only the files that the record lists", ascii(extra[0])[:80], "remove it", str(folder))
    for name, entry in record.files.items():
        read_verified(folder / name, entry.model_dump(), keep=False)
    if "model" not in {name.split("/")[0] for name in record.files} or not {"scaler.json", "history.parquet"} <= set(record.files):
        raise bad(
            "bundle/missing-file",
            "model/, scaler.json and history.parquet",
            ", ".join(sorted(record.files))[:200],
            "create the bundle again",
            str(folder),
        )


def notes_on(record: BundleRecord, labels: LabelSettings) -> list[str]:
    """What a user should know about running this bundle here: it does not stop it. labels: what the model was asked in training."""
    notes = [*notes_on_labels(labels)]
    if record.created.timestamp() > datetime.now(UTC).timestamp() + 86_400:
        notes.append(f"bundle/clock: made on {record.created:%Y-%m-%d}, which is in the future: check this machine's clock")
    if record.maths != maths_fingerprint():
        notes.append(
            "bundle/maths: this machine's log, exp or tanh differ in their last bits from those of the machine that trained: so may features"
        )
    last = Events(record.events).last
    if last is not None and 60 * last < datetime.now(UTC).timestamp():
        notes.append(
            f"bundle/events: the last event that it knows was on {moment(last):%Y-%m-%d}: train again with later ones in the events file"
        )
    here = versions(record.versions)
    changed = [f"{name} {record.versions[name]} -> {here.get(name)}" for name in record.versions if record.versions[name] != here.get(name)]
    if changed:
        notes.append(f"bundle/versions: made with other versions ({', '.join(changed)}): run `barsmith parity` before trusting it")
    return notes


def notes_on_labels(labels: LabelSettings) -> Iterator[str]:
    """Where an answer is not a side at every bar: what it is, and for which bars it was learned."""
    if labels.primary_signal is not None:
        yield (
            f"bundle/meta: signal 1 says that the trade of your primary signal ({shown(labels.primary_signal)}) pays and 0 that it does not: it is no "
            "side. Bars without such a signal are answered all the same, where it means nothing"
        )
    if labels.events == "cusum":
        yield (
            f"bundle/cusum: learned at {event_bars(labels)} alone; other bars are answered all the same, where nothing was learned "
            "and nothing judged"
        )


def versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Of these packages, those that are installed here; the names may come from anybody's bundle."""
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError, ValueError):
            found[name] = version(name)
    return found
