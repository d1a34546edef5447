"""Files that are whole or not there: atomic writes, SHA-256 manifests, verified reads, one lock for each folder.

A file is written beside its place, flushed to the disk and renamed, so that a killed process or a full disk leaves the earlier
file as it was. Whoever reads an artifact compares its SHA-256 first: nothing is parsed that is not what was written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from barsmith.config import shown
from barsmith.errors import BusyError, IntegrityError, StorageError

if TYPE_CHECKING:
    import polars as pl

_CODES = {
    errno.ENOSPC: ("io/no-space", "free space on that disk"),
    errno.EDQUOT: ("io/no-space", "free space within the quota"),
    errno.EROFS: ("io/read-only", "choose a folder that can be written"),
    errno.EACCES: ("io/read-only", "choose a folder that can be written"),
    errno.EPERM: ("io/read-only", "choose a folder that can be written"),
    errno.EFBIG: ("io/limit", "raise the limit on file sizes (ulimit -f)"),
    errno.EMFILE: ("io/limit", "raise the limit on open files (ulimit -n)"),
    errno.ENFILE: ("io/limit", "close other programs"),
}


@dataclass(frozen=True)
class FileRecord:
    """What a manifest says about one file."""

    sha256: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size": self.size}


@contextlib.contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """OSError inside becomes StorageError `io/...`."""
    try:
        yield
    except OSError as error:
        code, do = _CODES.get(error.errno or 0, ("io/error", "check the disk and the path"))
        raise StorageError(
            code, expected=f"to {doing}", came=(error.strerror or str(error)).lower(), do=do, where=shown(str(path))
        ) from error


class HashedFile(io.BufferedIOBase):
    """A file being written: its SHA-256 is that of what was meant, whatever the disk makes of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self._size = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._digest.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        return self._size

    def record(self) -> FileRecord:
        return FileRecord(self._digest.hexdigest(), self._size)


def make_folder(folder: Path) -> None:
    """The folder and those above it, never writable by others, whatever the umask."""
    if not folder.is_dir():
        make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):  # another process was faster
            folder.mkdir(mode=0o755)


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[HashedFile]:
    """A file that appears at `path` when the block ends well, and leaves nothing behind when it does not."""
    temporary = path.with_name(f".{path.name[:64]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with storage_errors(path, "write the file"):
        make_folder(path.parent)
        try:
            with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
                yield HashedFile(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> FileRecord:
    """Whole or not at all."""
    with atomic_writer(path) as file:
        file.write(data)
    return file.record()


def canonical_json(value: Any, *, sort_keys: bool = True) -> bytes:
    """Readable JSON with sorted keys: equal values, equal bytes. NaN is refused."""
    return (json.dumps(value, sort_keys=sort_keys, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any, *, sort_keys: bool = True) -> FileRecord:
    """sort_keys=False keeps the order of the keys, for a reader to whom the order says something."""
    return write_bytes(path, canonical_json(value, sort_keys=sort_keys))


def record_of(path: Path) -> FileRecord:
    """SHA-256 and size of a file as it stands on the disk."""
    digest, size = hashlib.sha256(), 0
    with storage_errors(path, "read the file"), path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return FileRecord(digest.hexdigest(), size)


def verify(folder: Path, manifest: Mapping[str, Mapping[str, Any]]) -> None:
    """Every file of the manifest `{path in folder: {sha256, size}}` is there and unchanged, else IntegrityError."""
    for name, record in manifest.items():
        read_verified(folder / name, record, keep=False)


def read_verified(path: Path, record: FileRecord | Mapping[str, Any], *, keep: bool = True) -> bytes:
    """The bytes of a file whose size and SHA-256 are those of the record, else IntegrityError `integrity/...`."""
    wanted = record.as_dict() if isinstance(record, FileRecord) else record
    if not path.is_file() or path.is_symlink():
        raise IntegrityError(
            "integrity/missing", expected="the file that the manifest lists", came="none", do="run the stage again", where=shown(str(path))
        )
    size = path.stat().st_size
    if size != wanted["size"]:
        raise _mismatch(path, f"{wanted['size']} bytes", f"{size} bytes")
    if keep:
        with storage_errors(path, "read the file"):
            data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
    else:
        data, digest = b"", record_of(path).sha256
    if digest != wanted["sha256"]:
        raise _mismatch(path, f"SHA-256 {str(wanted['sha256'])[:12]}...", f"{digest[:12]}...")
    return data


def _mismatch(path: Path, expected: str, came: str) -> IntegrityError:
    return IntegrityError(
        "integrity/mismatch",
        expected=f"{expected}, as its manifest says",
        came=came,
        do="the file was changed after it was written: make it again",
        where=shown(str(path)),
    )


def parse_json(data: bytes, where: str, *, code: str = "integrity/json") -> Any:
    """Strict JSON: UTF-8 without BOM, no key twice, no NaN, nothing after the value. Else IntegrityError `code`."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the key {shown(key)} twice")
            found[key] = value
        return found

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    def finite(text: str) -> float:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{text[:20]}, which is not finite")
        return number

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        came = "a nesting without end" if isinstance(error, RecursionError) else str(error)[:120]
        raise IntegrityError(code, expected="strict JSON", came=came, do="restore the file", where=where) from None


def read_json(path: Path, record: FileRecord | Mapping[str, Any] | None = None) -> Any:
    """Strict JSON of a file, compared with its record where one is given."""
    if record is not None:
        return parse_json(read_verified(path, record), shown(str(path)))
    with storage_errors(path, "read the file"):
        data = path.read_bytes()
    return parse_json(data, shown(str(path)))


def write_sealed(path: Path, value: Mapping[str, Any]) -> FileRecord:
    """A JSON object that carries its own SHA-256: for files that no manifest lists, such as the manifests themselves."""
    plain = parse_json(canonical_json(dict(value)), shown(str(path)))
    return write_json(path, {**plain, "digest": _seal(plain)})


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote; one changed byte, a space even, is IntegrityError `integrity/mismatch`."""
    with storage_errors(path, "read the file"):
        data = path.read_bytes()
    value = parse_json(data, shown(str(path)))
    if not isinstance(value, dict) or canonical_json(value) != data:
        raise _mismatch(path, "the record as it was written", "a changed one")
    digest = value.pop("digest", None)
    if digest != _seal(value):
        raise _mismatch(path, f"digest {str(digest)[:12]}...", f"{_seal(value)[:12]}...")
    return value


def _seal(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def write_parquet(
    path: Path,
    frame: pl.DataFrame,
    *,
    symbol: str | None = None,
    roles: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> FileRecord:
    """zstd, a checksum on every page, the symbol and the columns' roles in the file's metadata; equal frames, equal bytes."""
    import pyarrow.parquet as pq

    table = frame.to_arrow(compat_level=_oldest())
    metadata = {"barsmith": canonical_json({"symbol": symbol, "roles": dict(roles or {}), "about": dict(about or {})})}
    table = table.replace_schema_metadata(metadata)
    with atomic_writer(path) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=3,
            write_page_checksum=True,
            row_group_size=1 << 18,
            use_dictionary=[name for name, kind in frame.schema.items() if str(kind) in ("String", "Categorical")],
            write_statistics=True,
        )
    return file.record()


def _oldest() -> Any:
    import polars as pl

    return pl.CompatLevel.oldest()  # plain Arrow types: strings as large_utf8, not views


def read_parquet(
    path: Path, record: FileRecord | Mapping[str, Any] | None = None, *, symbol: str | None = None, columns: Sequence[str] | None = None
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The frame, or these columns of it, and what `write_parquet` put into the metadata.

    record: the file is compared with it first: any flipped byte is IntegrityError `integrity/mismatch`. Without one the pages'
    checksums are verified all the same, so that no value is another one; the names of columns are then not protected.
    symbol: another symbol in the file is IntegrityError `integrity/symbol`.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    if record is not None:
        source: Any = pa.BufferReader(read_verified(path, record))
    else:
        with storage_errors(path, "read the file"):
            source = pa.BufferReader(path.read_bytes())
    try:
        table = pq.read_table(source, columns=columns, page_checksum_verification=True)
        frame = pl.DataFrame(table.replace_schema_metadata(None))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _mismatch(path, "an intact Parquet file", f"{error}".partition("\n")[0][:120]) from None
    raw = (table.schema.metadata or {}).get(b"barsmith")
    about: dict[str, Any] = parse_json(raw, shown(str(path))) if raw is not None else {}
    if symbol is not None and about.get("symbol") != symbol:
        raise IntegrityError(
            "integrity/symbol",
            expected=f"an artifact of {symbol}",
            came=f"one of {shown(about.get('symbol'))}",
            do="never copy artifacts between symbols: run the pipeline for this one",
            where=shown(str(path)),
        )
    return frame, about


@contextlib.contextmanager
def locked(path: Path, what: str, *, wait: float = 0.0) -> Iterator[None]:
    """This process alone holds `what` while the block runs; BusyError `lock/busy` says who holds it after `wait` seconds.

    The lock is the kernel's: it goes with the process, however that ends, and a stopped process keeps it.
    """
    import filelock

    note = path.with_name(path.name + ".pid")
    with storage_errors(path, "make the lock"):
        make_folder(path.parent)
        lock = filelock.FileLock(path, timeout=wait)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise BusyError(
                "lock/busy",
                expected=f"{what} to be free",
                came=f"another process at work there{_holder(note)}",
                do="wait for it, or use another --workspace",
                where=shown(str(path)),
            ) from None
    try:
        with storage_errors(note, "make the lock"):
            note.write_text(f"{os.getpid()}\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        lock.release()


def _holder(note: Path) -> str:
    try:
        text = note.read_text().strip()
    except OSError:
        return ""
    return f" (pid {text})" if text.isdigit() else ""
