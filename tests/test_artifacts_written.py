"""Writing an artifact: the earlier file or the new one, whatever kills, interrupts or fills the disk."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barsmith.artifacts import (
    FileRecord,
    atomic_writer,
    record_of,
    write_bytes,
    write_parquet,
)
from barsmith.errors import StorageError
from every_step import killed_at_every_step

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc": FIPS 180-2, appendix B.1


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
