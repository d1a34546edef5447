"""What `barsmith doctor` looks at, one function a matter."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Any

from barsmith import parallel

OK, WARN, WRONG = "ok", "warn", "wrong"
GIB = 1 << 30
ENOUGH_MEMORY, ENOUGH_DISK = 2 * GIB, 2 * GIB


@dataclass(frozen=True)
class Finding:
    """One matter. state: ok, warn or wrong. do: what to do about it, empty where nothing."""

    check: str
    state: str
    found: str
    do: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examined(workspace: Path) -> Iterator[Finding]:
    """Every finding, the machine's first."""
    yield interpreter()
    yield program()
    yield from libraries()
    yield cores()
    yield memory()
    yield disk(workspace)
    yield file_system(workspace)
    yield zones()
    yield calendars()
    yield compiled_code()
    yield maths()


def interpreter() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    old = sys.version_info < (3, 11)
    return Finding("python", WRONG if old else OK, found, "use Python 3.11 or newer" if old else "")


def program() -> Finding:
    from barsmith import __version__
    from barsmith.cli.build import build_id

    return Finding("barsmith", OK, f"{__version__}, build {build_id()}, in {Path(__file__).parents[1]}")


def libraries() -> Iterator[Finding]:
    """Those that barsmith needs, from its own metadata."""
    try:
        wanted = [line for line in requires("barsmith") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        yield Finding("libraries", WARN, "barsmith is not installed as a package", "run `make install`, or `pip install -e .`")
        return
    for name in dict.fromkeys(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in wanted if meant_here(line)):
        try:
            yield Finding(name, OK, version(name))
        except PackageNotFoundError:
            yield Finding(name, WRONG, "missing", f"run `make install`, or `pip install {name}`")
    both = sorted(
        {str(each.name) for each in distributions(name="xgboost")} | {str(each.name) for each in distributions(name="xgboost-cpu")}
    )
    if len(both) > 1:
        yield Finding(
            "xgboost twice",
            WRONG,
            " and ".join(both),
            "they write the same files: `pip uninstall -y xgboost xgboost-cpu`, then install one",
        )


def meant_here(requirement: str) -> bool:
    """Whether the requirement's platform is this one."""
    marker = re.search(r"sys_platform\s*([!=]=)\s*[\"'](\w+)[\"']", requirement)
    return marker is None or (sys.platform == marker[2]) == (marker[1] == "==")


def cores() -> Finding:
    return Finding("cores", OK, str(parallel.cores()))


def memory() -> Finding:
    """What the machine has, or what a container allows where that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}) else []
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        sizes.append(int(text))
    if not sizes:
        return Finding("memory", OK, "not told by this system")
    little = min(sizes) < ENOUGH_MEMORY
    return Finding(
        "memory", WARN if little else OK, f"{min(sizes) / GIB:.1f} GiB", "a run over a year of minutes takes about 2 GiB" if little else ""
    )


def disk(workspace: Path) -> Finding:
    free = shutil.disk_usage(workspace).free
    little = free < ENOUGH_DISK
    return Finding(
        "disk", WARN if little else OK, f"{free / GIB:.1f} GiB free", "a run over a year takes about 1 GiB: make room" if little else ""
    )


def file_system(workspace: Path) -> Finding:
    """Whether the workspace can be written, files can be replaced as a whole, and a lock holds."""
    from barsmith.artifacts import locked
    from barsmith.errors import BarsmithError

    probe = workspace / f".barsmith-probe-{secrets.token_hex(4)}"
    name = f"workspace {workspace}"
    try:
        probe.mkdir()
    except OSError as error:
        return Finding(name, WARN, (error.strerror or str(error)).lower(), "choose a --workspace that can be written")
    try:
        for text in ("old", "new"):
            (probe / "written").write_text(text)
            (probe / "written").replace(probe / "file")
        with locked(probe / "lock", "the probe"):
            if not is_held(probe / "lock"):
                return Finding(
                    name, WARN, "io/filesystem: locks do not hold here", "keep workspaces on a local disk, one process at a time"
                )
    except (OSError, NotImplementedError, BarsmithError) as error:
        return Finding(name, WARN, f"io/filesystem: {str(error)[:120]}", "keep workspaces on a local disk, one process at a time")
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    return Finding(name, OK, "can be written, replaced and locked")


def is_held(lock: Path) -> bool:
    """Whether a lock that somebody has is refused to a second one."""
    from barsmith.artifacts import locked
    from barsmith.errors import BusyError

    try:
        with locked(lock, "the probe"):
            return False
    except BusyError:
        return True


def zones() -> Finding:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("America/Chicago")
    except ZoneInfoNotFoundError:
        return Finding("time zones", WRONG, "none", "run `pip install tzdata`")
    now = datetime.now(UTC)
    doubtful = now.year < 2025
    return Finding(
        "clock",
        WARN if doubtful else OK,
        f"{now:%Y-%m-%d %H:%M} UTC",
        "set the clock: live minutes are compared with it" if doubtful else "",
    )


def calendars() -> Finding:
    from barsmith.bars.sessions import FIRST_YEAR, LAST_YEAR

    ending = datetime.now(UTC).year >= LAST_YEAR
    return Finding(
        "calendars",
        WARN if ending else OK,
        f"{FIRST_YEAR} to {LAST_YEAR}",
        "upgrade barsmith: the table of holidays ends" if ending else "",
    )


def compiled_code() -> Finding:
    import numba

    from barsmith import compiled

    folder = Path(numba.config.CACHE_DIR or compiled.cache_folder())  # type: ignore[attr-defined]
    passing = folder.is_relative_to(tempfile.gettempdir())
    do = "give the user a home that can be written, or set XDG_CACHE_HOME: compiled code is lost with that folder" if passing else ""
    return Finding("compiled code", WARN if passing else OK, str(folder), do)


def maths() -> Finding:
    """Machines with the same fingerprint give features with the same bits."""
    from barsmith.serving.bundle_record import maths_fingerprint

    return Finding("maths", OK, f"fingerprint {maths_fingerprint()}")
