"""`barsmith demo`: the whole way from raw minutes to live signals, in a market whose truth is known."""

from __future__ import annotations

from pathlib import Path

from barsmith.cli.options import NewWorkspace
from barsmith.cli.printing import Report
from barsmith.cli.progress import Steps
from barsmith.cli.train import says_of
from barsmith.errors import IntegrityError


def demo(workspace: NewWorkspace = None) -> Report:
    """Simulate a market, run the pipeline, train, bundle and stream it: about a minute, into the folder demo."""
    from barsmith.pipeline.demo import demo as walked

    with Steps() as steps:
        made = walked(workspace or Path("demo"), steps.tell)
    parity = made.parity
    says = [
        *says_of(made.training),
        f"bundle in {made.bundle}",
        f"parity: {parity.values:,} values, {parity.mismatches:,} mismatches",
        f"done in {made.seconds:.0f} seconds",
    ]
    return Report(made.as_dict(), says, IntegrityError.exit_code if parity.mismatches else 0)
