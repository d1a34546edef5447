"""`barsmith parity`: the proof that a stream of a file gives the bits of its batch."""

from __future__ import annotations

from pathlib import Path

from barsmith.cli.bars_file import bars_for, load_bundle
from barsmith.cli.options import BarsFile, BundleFolder, Modules, OnBadRows, Repair, Timestamps, Timezone, Workspace
from barsmith.cli.printing import Report
from barsmith.cli.progress import timed
from barsmith.errors import IntegrityError


def parity(
    bundle: BundleFolder,
    bars: BarsFile,
    timezone: Timezone = None,
    timestamps: Timestamps = None,
    on_bad_rows: OnBadRows = None,
    repair: Repair = False,
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Stream a file bar by bar and compare every feature and probability with the batch, bit for bit."""
    from barsmith.serving.parity import parity as compared

    loaded = load_bundle(bundle, workspace, modules)
    raw = bars_for(loaded, bars, timezone=timezone, timestamps=timestamps, on_bad_rows=on_bad_rows, repair=repair)
    with timed(f"streaming {len(raw.frame):,} minutes") as tell:
        found = compared(loaded, raw.frame, lambda done, total: tell(done / total))
    says = [f"parity: {found.values:,} values, {found.mismatches:,} mismatches"]
    if found.first_mismatch:
        first = found.first_mismatch
        says.append(f"first: {first['name']} at {first['datetime']}, {first['batch']!r} in batch, {first['live']!r} live")
    return Report(found.as_dict(), says, IntegrityError.exit_code if found.mismatches else 0)
