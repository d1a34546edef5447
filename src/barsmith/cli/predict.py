"""`barsmith predict`: signals for a file of raw bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barsmith.cli.bars_file import bars_for, load_bundle, warnings_of
from barsmith.cli.options import BarsFile, BundleFolder, Force, Modules, OnBadRows, Repair, Timestamps, Timezone, Workspace
from barsmith.cli.output_file import refuse_output
from barsmith.cli.printing import Report

MADE_BY = "barsmith predict"


def predict(
    bundle: BundleFolder,
    bars: BarsFile,
    out: Annotated[Path, typer.Option("--out", "--output", metavar="FILE", help="The Parquet file to write.")],
    timezone: Timezone = None,
    timestamps: Timestamps = None,
    on_bad_rows: OnBadRows = None,
    repair: Repair = False,
    modules: Modules = None,
    force: Force = False,
    workspace: Workspace = Path("."),
) -> Report:
    """Signals for a file of raw bars: one row for each finished base bar."""
    from barsmith.artifacts import write_parquet

    refuse_output(out, "predict", (".parquet", ".pq"), workspace, force=force, is_ours=is_ours, bars=bars)
    loaded = load_bundle(bundle, workspace, modules)
    raw = bars_for(loaded, bars, timezone=timezone, timestamps=timestamps, on_bad_rows=on_bad_rows, repair=repair)
    signals = loaded.predict(raw.frame)
    about = {"made_by": MADE_BY, "bundle": loaded.record.digest, "bars_sha256": raw.quality.sha256, "notes": list(loaded.notes)}
    write_parquet(out, signals, symbol=loaded.symbol, about=about)
    counts = {name: int((signals["signal"] == value).sum()) for value, name in loaded.settings.labels.answers.items()}
    counts["warming_up"] = signals["signal"].null_count()
    found = {"bundle": str(bundle), "bars": str(bars), "out": str(out), "symbol": loaded.symbol, "rows": len(signals), "signals": counts}
    trained = loaded.record.trained
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    return Report(
        found | {"warnings": warnings_of(raw), "notes": list(loaded.notes), "trained": dict(trained)},
        [
            f"{len(signals):,} base bars: {told}",
            *([f"an answer is about: {trained['labels']}"] if "labels" in trained else []),
            f"the model has learned from bars until {trained['learned_until']} and was judged on bars until {trained['judged_until']}: "
            "signals before then prove nothing",
            f"written to {out}",
        ],
    )


def is_ours(out: Path) -> bool:
    """Whether an earlier predict wrote the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from barsmith.artifacts import parse_json
    from barsmith.errors import IntegrityError

    if out.is_symlink() or not out.is_file():
        return False
    try:
        told = (pq.read_metadata(out).metadata or {}).get(b"barsmith")
        return told is not None and parse_json(told, str(out))["about"].get("made_by") == MADE_BY
    except (pa.ArrowException, OSError, IntegrityError, KeyError, TypeError, AttributeError):  # not a file of ours
        return False
