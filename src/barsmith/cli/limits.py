"""Limits of the shell (ulimit) under which no verb can work: refused before a library meets them and aborts the process."""

from __future__ import annotations

from barsmith.errors import StorageError

LEAST_ADDRESS_SPACE = 3 << 29
"""Bytes. Polars, Numba and OpenBLAS reserve more than a gigabyte before they have anything to do; some abort where they cannot."""
LEAST_FILES = 32


def refuse_tight_limits() -> None:
    """Raises StorageError `io/limit`."""
    space, files = limit("RLIMIT_AS"), limit("RLIMIT_NOFILE")
    if space is not None and space < LEAST_ADDRESS_SPACE:
        raise too_tight(f"an address space of {LEAST_ADDRESS_SPACE >> 20} MiB or more", f"a limit of {space >> 20} MiB", "-v")
    if files is not None and files < LEAST_FILES:
        raise too_tight(f"{LEAST_FILES} open files or more", f"a limit of {files}", "-n")


def limit(name: str) -> int | None:
    """A limit of this process; None where there is none."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return None
    value = resource.getrlimit(getattr(resource, name))[0]
    return None if value == resource.RLIM_INFINITY else value


def too_tight(expected: str, came: str, option: str) -> StorageError:
    return StorageError("io/limit", expected=expected, came=came, do=f"raise it (ulimit {option})")
