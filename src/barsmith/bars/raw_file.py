"""A raw file as bytes: opened without ever blocking, read whole and unchanged, and recognised by its content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from barsmith.errors import DataError, StorageError, UsageError

MAX_BYTES = 4 << 30
CHUNK = 8 << 20
PARQUET = b"PAR1"
PARQUET_SUFFIXES = (".parquet", ".pq")
CSV_SUFFIXES = (".csv", ".txt", ".tsv", ".psv")
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32 (little-endian)"),
    (b"\0\0\xfe\xff", "UTF-32 (big-endian)"),
    (b"\xff\xfe", "UTF-16 (little-endian)"),
    (b"\xfe\xff", "UTF-16 (big-endian)"),
)
OTHER_FORMATS = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"ARROW1", "an Arrow IPC (Feather) file"),
    (b"FEA1", "a Feather file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"DBN", "a Databento DBN file"),
    (b"%PDF", "a PDF"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"<!", "a web page"),
    (b"<html", "a web page"),
    (b"<HTML", "a web page"),
    (b"<?xml", "XML"),
)


@dataclass(frozen=True)
class RawFile:
    """A file's bytes. `name` is the path as it may be shown, `suffix` what the name says that it is."""

    name: str
    suffix: str
    data: bytes

    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def shown(path: str | os.PathLike[str]) -> str:
    """A path for messages: whatever could break a line or a terminal is escaped."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in os.fspath(path))
    return text if len(text) <= 200 else "..." + text[-197:]


def read_file(path: str | os.PathLike[str], *, root: Path | None = None, allow_outside: bool = False) -> RawFile:
    """The bytes of a regular file.

    root: the folder that the file, links followed, must lie in, unless allow_outside.
    Raises UsageError `bars/not-found`, `bars/not-a-file`; DataError `bars/unreadable`, `bars/outside-root`, `bars/too-large`,
    `bars/changed-during-read` (after a second try); StorageError `storage/read` where the disk fails.
    """
    name = shown(path)
    try:
        _refuse_special(os.stat(path), name)
        real = os.path.realpath(path)
        if root is not None and not allow_outside:
            _refuse_outside(real, root, path)
        for _ in range(2):
            data = _unchanged(real, name)
            if data is not None:
                return RawFile(name, os.path.splitext(os.fspath(path))[1].lower(), data)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _refusal(error, name) from error
    raise DataError(
        "bars/changed-during-read",
        expected="a file that stays as it is while it is read",
        came="one whose size or time of change moved, twice",
        do="wait until whatever writes it is done; let it write to another name and rename",
        where=name,
    )


def _refuse_special(status: os.stat_result, name: str) -> None:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    if not stat.S_ISREG(status.st_mode):
        came = kinds.get(stat.S_IFMT(status.st_mode), "a device")
        raise UsageError("bars/not-a-file", expected="a regular file of bars", came=came, do="name a Parquet or CSV file", where=name)


def _refuse_outside(real: str, root: Path, path: str | os.PathLike[str]) -> None:
    if not Path(real).is_relative_to(os.path.realpath(root)):
        is_link = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))
        raise DataError(
            "bars/outside-root",
            expected=f"a file under {shown(root)}",
            came=f"{'a link to ' if is_link else ''}{shown(real)}",
            do="copy the file there, or pass --allow-outside (ingest.allow_outside: true)",
            where=shown(path),
        )


def _refusal(error: OSError | ValueError, name: str) -> UsageError | DataError | StorageError:
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return DataError(
            "bars/unreadable", expected="a file that may be read", came="no permission", do="give yourself read permission", where=name
        )
    missing = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, None)
    if number in missing:
        why = "a name that no file can have" if number not in (errno.ENOENT, errno.ENOTDIR) else "none"
        return UsageError("bars/not-found", expected="a file of bars", came=why, do="check the path", where=name)
    came = os.strerror(number) if number else str(error)
    return StorageError("storage/read", expected="a disk that can be read", came=came, do="check the disk and try again", where=name)


def _unchanged(real: str, name: str) -> bytes | None:
    """The file's bytes, or None where it was written to meanwhile."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(real, flags)
    try:
        before = os.fstat(handle)
        _refuse_special(before, name)
        if before.st_size > MAX_BYTES:
            raise DataError(
                "bars/too-large",
                expected=f"at most {MAX_BYTES >> 30} GiB, which is centuries of minutes",
                came=f"{before.st_size / 2**30:.1f} GiB",
                do="cut the file into years",
                where=name,
            )
        parts = []
        while part := os.read(handle, CHUNK):
            parts.append(part)
            if sum(map(len, parts)) > MAX_BYTES:
                return None  # it grows faster than it can be read
        after = os.fstat(handle)
    finally:
        os.close(handle)
    data = b"".join(parts)
    same = (before.st_size, before.st_mtime_ns, len(data)) == (after.st_size, after.st_mtime_ns, after.st_size)
    return data if same else None


def content_format(file: RawFile) -> str:
    """`parquet` or `csv`, by the first bytes and never by the name; a name that says otherwise is refused.

    Raises DataError `bars/empty`, `bars/encoding`, `bars/wrong-format`, `bars/corrupt-file`.
    """
    data, named_parquet = file.data, file.suffix in PARQUET_SUFFIXES
    if not data[:4096].strip() and not data.strip():
        came = f"a file of {len(data)} bytes{' of white space' if data else ''}"
        raise DataError("bars/empty", expected="one-minute bars", came=came, do="check how the file was made", where=file.name)
    if data.startswith(PARQUET):
        if file.suffix in CSV_SUFFIXES:
            raise _wrong(file, "a Parquet file", f"rename it to end in {PARQUET_SUFFIXES[0]}")
        return "parquet"
    if named_parquet and (PARQUET.startswith(data) or data.endswith(PARQUET)):
        raise DataError(
            "bars/corrupt-file",
            expected="a whole Parquet file",
            came=f"{len(data)} bytes that do not begin with PAR1",
            do="copy or download it again",
            where=file.name,
        )
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            raise DataError(
                "bars/encoding", expected="UTF-8 text", came=f"the byte order mark of {encoding}", do="save it as UTF-8", where=file.name
            )
    for magic, other in OTHER_FORMATS:
        if data.startswith(magic):
            raise _wrong(file, other, "unpack or convert it to Parquet or CSV first")
    if named_parquet:
        raise _wrong(file, "another kind of file, text perhaps", "rename it to end in .csv if it is CSV")
    return "csv"


def _wrong(file: RawFile, came: str, do: str) -> DataError:
    expected = f"the content that {file.suffix} promises" if file.suffix in PARQUET_SUFFIXES + CSV_SUFFIXES else "Parquet or CSV"
    return DataError("bars/wrong-format", expected=expected, came=came, do=do, where=file.name)
