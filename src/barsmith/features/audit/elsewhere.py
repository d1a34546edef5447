"""The same process in other circumstances: nearly every file closed to it, another clock on the wall, other arguments."""

from __future__ import annotations

import ctypes
import datetime
import os
import struct
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from barsmith.features.audit.watching import CODE, is_below, own_folders

#: By how much the wall clock is wrong: another year, month, weekday, hour and minute.
LATER = datetime.timedelta(days=1234, hours=5, minutes=7)
_READ_FILE, _CREATE, _ADD, _RESTRICT, _NO_NEW_PRIVILEGES, _PATH_BENEATH = 1 << 2, 444, 445, 446, 38, 1


def go_elsewhere(file: Path) -> None:
    """From here on a file cannot be read outside Python's own folders (Linux 5.13 and later), and the time is another one."""
    sys.argv[:] = ["barsmith", "serve"]
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    places = [*own_folders(), os.path.join(sys.base_prefix, "lib"), "/usr/local/lib", "/usr/share/zoneinfo", os.getcwd(), str(file)]
    close_files([*places, *importable_code(places)])
    change_clock()


def importable_code(known: Iterable[str], most: int = 5_000) -> list[str]:
    """Code in the other folders that modules are imported from."""
    found: list[str] = []
    for top in sys.path:
        if is_below(os.path.realpath(top), known):
            continue
        for folder, below, files in os.walk(top):
            below[:] = [name for name in below if not name.startswith(".")]
            found += [os.path.join(folder, name) for name in files if name.endswith(CODE)]
            if len(found) > most:
                return found
    return found


def close_files(readable: Iterable[str]) -> None:
    """This thread and those that it starts can read files below these places alone. Where the kernel has no Landlock nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    rules = libc.syscall(_CREATE, struct.pack("Q", _READ_FILE), 8, 0)
    if rules < 0:
        return
    for place in {os.path.realpath(each) for each in readable}:
        if os.path.exists(place):
            fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
            libc.syscall(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", _READ_FILE, fd), 0)
            os.close(fd)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.syscall(_RESTRICT, rules, 0)
    os.close(rules)


def change_clock() -> None:
    """Python's clocks on the wall show `LATER`. Those that only count on are left."""
    seconds = LATER.total_seconds()
    real = time.time, time.time_ns, time.localtime, time.gmtime, time.ctime, time.strftime
    time.time = lambda: real[0]() + seconds
    time.time_ns = lambda: real[1]() + int(seconds) * 1_000_000_000
    time.localtime, time.gmtime, time.ctime = (at(each) for each in real[2:5])
    time.strftime = lambda form, moment=None: real[5](form, time.localtime() if moment is None else moment)
    datetime.datetime, datetime.date = LaterDatetime, LaterDate  # type: ignore[misc]


def at(clock: Callable[[float], Any]) -> Callable[..., Any]:
    return lambda moment=None: clock(time.time() if moment is None else moment)


class _Alike(type):
    """A class whose instances are those of the class that it stands for."""

    def __instancecheck__(cls, one: Any) -> bool:
        return isinstance(one, cls.__mro__[1])

    def __subclasscheck__(cls, one: Any) -> bool:
        return issubclass(one, cls.__mro__[1])


class LaterDatetime(datetime.datetime, metaclass=_Alike):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _DATETIME.now(tz) + LATER

    @classmethod
    def utcnow(cls) -> Any:
        return _DATETIME.now(datetime.UTC).replace(tzinfo=None) + LATER

    @classmethod
    def today(cls) -> Any:
        return _DATETIME.now() + LATER


class LaterDate(datetime.date, metaclass=_Alike):
    @classmethod
    def today(cls) -> Any:
        return (_DATETIME.now() + LATER).date()


_DATETIME = datetime.datetime
