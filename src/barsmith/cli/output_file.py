"""A file that a verb is asked to write: where it may lie, and what it may replace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from barsmith.errors import UsageError


def refuse_output(
    out: Path,
    verb: str,
    suffixes: Sequence[str],
    workspace: Path,
    *,
    force: bool,
    is_ours: Callable[[Path], bool],
    bars: Path | None = None,
) -> None:
    """Only an earlier output of the same verb is replaced unasked; raw bars never. bars: the verb's own input.

    Raises UsageError `cli/format`, `cli/path`, `config/path`, `cli/exists`.
    """
    where = ascii(str(out))
    if out.suffix.lower() not in suffixes:
        expected, do = f"a {suffixes[0]} file to write", f"let its name end in {suffixes[0]}"
        raise UsageError("cli/format", expected=expected, came=ascii(out.name)[:80], do=do, where="--out")
    if out.is_dir():
        raise UsageError("cli/path", expected="a file to write", came="a folder", do="name a file in it", where=where)
    if bars is not None and out.exists() and bars.exists() and out.samefile(bars):
        raise UsageError("config/path", expected="another file than the bars", came="the bars", do="choose another --out", where=where)
    if out.resolve().is_relative_to((workspace / "data" / "raw").resolve()):
        expected, came = "a place outside data/raw", "one among raw bars"
        raise UsageError("config/path", expected=expected, came=came, do="choose another --out", where=where)
    if (out.exists() or out.is_symlink()) and not force and not is_ours(out):
        expected, do = f"a free name, or an earlier output of {verb}", "choose another --out, or pass --force"
        raise UsageError("cli/exists", expected=expected, came="another file", do=do, where=where)
