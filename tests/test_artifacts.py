"""Artifacts: whole or not there, found when changed by a bit, never another symbol's, and one holder at a time."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.artifacts import (
    FileRecord,
    atomic_writer,
    canonical_json,
    locked,
    parse_json,
    read_json,
    read_parquet,
    read_verified,
    record_of,
    verify,
    write_bytes,
    write_json,
    write_parquet,
)
from barsmith.errors import BusyError, IntegrityError, StorageError
from every_step import killed_at_every_step

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc": FIPS 180-2, appendix B.1
FRAME = pl.DataFrame({"a": [1, 2, 3], "s": ["x", None, "zz"], "b": [0.5, None, math.nan]})


def test_a_record_is_the_sha256_and_the_size_of_the_bytes(tmp_path: Path) -> None:
    assert write_bytes(tmp_path / "new" / "folder" / "file", b"abc") == FileRecord(ABC, 3) == record_of(tmp_path / "new/folder/file")
    assert write_bytes(tmp_path / "empty", b"").size == 0


def test_nothing_is_left_beside_the_file_and_nobody_else_may_write_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_bytes(tmp_path / "folder" / "file", b"abc")
    finally:
        os.umask(before)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
    assert stat.S_IMODE((tmp_path / "folder" / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755


# killed, interrupted, full


SCRIPT = """
from pathlib import Path
from barsmith.artifacts import write_bytes
def before(folder):
    folder.mkdir()
    (folder / "file").write_bytes(b"old" * 9)
def act(folder):
    write_bytes(folder / "file", b"new" * 4)
def check(folder):
    write = {b"old" * 9: "old", b"new" * 4: "new"}.get((folder / "file").read_bytes(), "TORN")
    act(folder)
    return write if (folder / "file").read_bytes() == b"new" * 4 else "STUCK"
"""


def test_a_writer_that_is_killed_at_any_step_leaves_the_earlier_file_or_the_new_one(tmp_path: Path) -> None:
    left = killed_at_every_step(SCRIPT, tmp_path)
    assert set(left) == {"old", "new"}
    assert sum(left.values()) > 20


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # a handle just opened
def test_a_writer_that_is_interrupted_at_any_step_leaves_nothing_half_done(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "file", []
    for step in range(1, 10_000):
        path.write_bytes(b"old")
        left = 0

        def interrupt(frame: Any, event: str, argument: object, step: int = step) -> Any:
            nonlocal left
            if event == "line" and frame.f_code.co_filename.endswith("barsmith/artifacts.py"):
                left += 1
                if left == step:
                    raise KeyboardInterrupt
            return interrupt

        sys.settrace(interrupt)
        try:
            write_bytes(path, b"new")
        except KeyboardInterrupt:
            outcomes.append(path.read_bytes())
        else:
            break
        finally:
            sys.settrace(None)
        assert [found.name for found in tmp_path.iterdir()] == ["file"]
    assert set(outcomes) == {b"old", b"new"}


def test_an_error_of_the_writer_itself_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def write() -> None:
        with atomic_writer(path) as file:
            file.write(b"half of the n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


Fault = Callable[[pytest.MonkeyPatch, int], None]


def failing(name: str) -> Fault:
    def plant(patch: pytest.MonkeyPatch, number: int) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise OSError(number, os.strerror(number))

        patch.setattr(os, name, fail)

    return plant


def failing_rename(patch: pytest.MonkeyPatch, number: int) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    patch.setattr(Path, "replace", fail)


@pytest.mark.parametrize("plant", [failing("open"), failing("fsync"), failing_rename], ids=["open", "fsync", "rename"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "io/no-space"),
        (errno.EDQUOT, "io/no-space"),
        (errno.EROFS, "io/read-only"),
        (errno.EACCES, "io/read-only"),
        (errno.EMFILE, "io/limit"),
        (errno.EIO, "io/error"),
    ],
)
def test_a_disk_that_refuses_is_a_typed_error_and_leaves_the_earlier_file(
    plant: Fault, number: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with monkeypatch.context() as patch:
        plant(patch, number)
        with pytest.raises(StorageError) as error:
            write_bytes(path, b"new")
    assert (error.value.code, error.value.exit_code) == (code, 5)
    assert str(path) in error.value.where
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("write", [lambda p: write_bytes(p, b"x" * 100_000), lambda p: write_parquet(p, pl.DataFrame({"x": range(9999)}))])
def test_a_disk_without_space_is_a_typed_error(write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full takes no byte, as the kernel of a full disk does."""
    path, real = tmp_path / "file", os.open
    write_bytes(path, b"old")

    def full(name: Path, flags: int, *mode: int) -> int:
        return real("/dev/full", os.O_WRONLY) if str(name).endswith(".tmp") else real(name, flags, *mode)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StorageError) as error:
        write(path)
    assert error.value.code == "io/no-space"
    assert path.read_bytes() == b"old"


def test_a_limit_on_the_size_of_files_is_a_typed_error(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    write_bytes(tmp_path / "file", b"old")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(StorageError) as error:
            write_bytes(tmp_path / "file", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.code == "io/limit"
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from barsmith.artifacts import write_bytes
from barsmith.errors import StorageError
folder = Path(sys.argv[1])
write_bytes(folder / "file", b"old")
for size in (10_000, 1_000_000):
    try:
        write_bytes(folder / "file", b"x" * size)
    except StorageError as error:
        print(error.code, (folder / "file").stat().st_size, len(list(folder.iterdir())))
"""


def test_on_a_small_disk_that_runs_full_the_earlier_file_stays(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=64k tmpfs {tmp_path}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk here")
    shell = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    told = subprocess.run(["unshare", "-m", "sh", "-c", shell, sys.executable, ON_A_SMALL_DISK], capture_output=True, text=True, check=True)
    assert told.stdout == "io/no-space 10000 1\n"


@pytest.mark.parametrize("blocked", ["parent", "target"])
def test_a_place_that_is_no_place_for_a_file_is_a_typed_error(blocked: str, tmp_path: Path) -> None:
    if blocked == "parent":
        (tmp_path / "a").write_bytes(b"")
    else:
        (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(StorageError):
        write_bytes(tmp_path / "a" / "b", b"new")


# verified reads


@pytest.mark.parametrize("write", [lambda p: write_json(p, {"a": [1, 2.5, "x"]}), lambda p: write_parquet(p, FRAME, symbol="MES")])
def test_any_flipped_bit_of_any_byte_is_found(write: Callable[[Path], FileRecord], tmp_path: Path) -> None:
    path = tmp_path / "file"
    record = write(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        with pytest.raises(IntegrityError) as error:
            read_verified(path, record)
        assert (error.value.code, error.value.exit_code) == ("integrity/mismatch", 6)
    path.write_bytes(whole)
    assert read_verified(path, record.as_dict()) == whole


@pytest.mark.parametrize("size", [0, 1, 2, 4])
def test_a_shorter_or_longer_file_is_found_by_its_size(size: int, tmp_path: Path) -> None:
    record = write_bytes(tmp_path / "file", b"abc")
    (tmp_path / "file").write_bytes(b"abcd"[:size])
    with pytest.raises(IntegrityError, match=f"expected 3 bytes, as its manifest says, came {size} bytes"):
        read_verified(tmp_path / "file", record, keep=False)


def test_a_missing_file_a_folder_and_a_link_are_no_artifacts(tmp_path: Path) -> None:
    record = write_bytes(tmp_path / "file", b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder", "none"):
        with pytest.raises(IntegrityError) as error:
            verify(tmp_path, {"file": record.as_dict(), name: record.as_dict()})
        assert error.value.code == "integrity/missing"


def test_values_of_a_parquet_file_are_protected_even_without_a_record(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    write_parquet(path, FRAME, symbol="MES")
    whole, found = path.read_bytes(), 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            frame, _ = read_parquet(path)
        except IntegrityError:
            found += 1
            continue
        for mine, other in zip(FRAME.iter_columns(), frame.iter_columns(), strict=True):
            assert mine.cast(other.dtype).equals(other, null_equal=True), f"byte {at}"
    assert found > len(whole) / 2


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 5, b"\x80\x04." * 9, b"{}"])
def test_bytes_that_are_no_parquet_file_are_told_as_such(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(IntegrityError) as error:
        read_parquet(tmp_path / "file")
    assert error.value.code == "integrity/mismatch"


def test_an_artifact_of_another_symbol_is_refused(tmp_path: Path) -> None:
    record = write_parquet(tmp_path / "a", FRAME, symbol="MES")
    assert read_parquet(tmp_path / "a", record, symbol="MES")[0].equals(FRAME)
    with pytest.raises(IntegrityError, match="expected an artifact of MGC, came one of 'MES'") as error:
        read_parquet(tmp_path / "a", record, symbol="MGC")
    assert error.value.code == "integrity/symbol"
    FRAME.write_parquet(tmp_path / "foreign")
    with pytest.raises(IntegrityError, match="came one of null"):
        read_parquet(tmp_path / "foreign", symbol="MES")


def test_a_frame_comes_back_with_its_types_its_roles_and_what_is_said_about_it(tmp_path: Path) -> None:
    frame = FRAME.with_columns(
        i=pl.Series([1, None, -1], dtype=pl.Int8),
        t=pl.Series([0, 1, None]).cast(pl.Datetime("us", "UTC")),
        d=pl.Series([1, 2, 3]).cast(pl.Date),
        f=pl.Series([1.5, 2, 3], dtype=pl.Float32),
        l=pl.Series([True, None, False]),
    )
    write_parquet(tmp_path / "a", frame, symbol="MES", roles={"a": "feature"}, about={"names": ["x"]})
    back, told = read_parquet(tmp_path / "a")
    assert back.equals(frame)
    assert back.schema == frame.schema
    assert told == {"symbol": "MES", "roles": {"a": "feature"}, "about": {"names": ["x"]}}


def test_equal_frames_make_equal_bytes_however_they_came_about(tmp_path: Path) -> None:
    n = 300_000  # more than a row group
    frame = pl.DataFrame({"x": range(n)}).with_columns(y=pl.col("x") * 0.1, s=pl.when(pl.col("x") % 7 > 0).then(pl.lit("abc")))
    other_ways = {
        "in two chunks": pl.concat([frame[:100_001], frame[100_001:]], rechunk=False),
        "cut out of a longer one": pl.concat([frame[:7], frame])[7:],
        "filtered": pl.concat([frame, frame]).with_row_index().filter(pl.col("index") < n).drop("index"),
        "put together": frame.select("x").hstack(frame.select("y", "s")),
    }
    record = write_parquet(tmp_path / "a", frame, symbol="MES")
    assert {way: write_parquet(tmp_path / "b", other, symbol="MES") for way, other in other_ways.items()} == dict.fromkeys(
        other_ways, record
    )
    assert write_parquet(tmp_path / "b", read_parquet(tmp_path / "a")[0], symbol="MES") == record
    assert write_parquet(tmp_path / "b", frame, symbol="MGC") != record


# JSON


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": 1, "a": 1}', "the key 'a' twice"),
        (b'{"b": {"a": 1, "a": 2}}', "the key 'a' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": 1} x', "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
        (b"[" * 100_000, "nesting"),
        (b"{'a': 1}", "double quotes"),
        (b"9" * 5000, "digits"),
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(IntegrityError) as error:
        parse_json(data, "file.json", code="bundle/manifest")
    assert error.value.code == "bundle/manifest"
    assert says in error.value.came


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_canonical_json_comes_back_as_it_was_and_is_one_text(value: Any) -> None:
    data = canonical_json(value)
    assert parse_json(data, "") == value
    assert data.isascii()
    assert canonical_json(json.loads(data)) == data


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, {"a": -math.inf}]])
def test_canonical_json_has_no_nan(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_a_json_file_is_compared_with_its_record(tmp_path: Path) -> None:
    record = write_json(tmp_path / "a", {"a": 1})
    assert read_json(tmp_path / "a", record) == {"a": 1}
    (tmp_path / "a").write_bytes(canonical_json({"a": 2}))
    assert read_json(tmp_path / "a") == {"a": 2}
    with pytest.raises(IntegrityError):
        read_json(tmp_path / "a", record)


# locks

HOLDER = """
import sys, time
from pathlib import Path
from barsmith.artifacts import locked
with locked(Path(sys.argv[1]), "the data"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "deep" / "lock"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_holds_the_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(BusyError) as error, locked(tmp_path / "deep" / "lock", "the data"):
        pass
    assert (error.value.code, error.value.exit_code) == ("lock/busy", 4)
    assert f"(pid {holder.pid})" in error.value.came


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process_however_that_ends(end: signal.Signals, holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(end)
    holder.wait()
    with locked(tmp_path / "deep" / "lock", "the data"):
        pass


def test_a_stopped_process_keeps_its_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(BusyError), locked(tmp_path / "deep" / "lock", "the data", wait=0.2):
        pass
    assert 0.2 <= time.monotonic() - began < 5.0


def test_a_lock_is_free_again_after_an_error_and_its_note_is_gone(tmp_path: Path) -> None:
    def work() -> None:
        with locked(tmp_path / "lock", "the data"):
            assert re.fullmatch(r"\d+\n", (tmp_path / "lock.pid").read_text())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not (tmp_path / "lock.pid").exists()
    with locked(tmp_path / "lock", "the data"):
        pass
