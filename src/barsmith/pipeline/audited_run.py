"""The audit's last reading of a user's file: what `barsmith run` itself makes of it, in a workspace of its own, against what the audit was told."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from barsmith.config import Settings
from barsmith.errors import BarsmithError
from barsmith.features.audit.differences import Scale, differing
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.store import Store, no_data
from barsmith.pipeline.workspace import raw_file

#: Seconds that a run may take beside its features: for a minute of history, and at least.
PER_MINUTE, AT_LEAST = 1e-3, 180.0


def audit_run(
    file: Path, workspace: Path, settings: Settings, columns: Mapping[str, np.ndarray], history: History, within: float, findings: Findings
) -> None:
    """Accuse each feature whose column, (m,), is another one in a data run. within: seconds that the features may take."""
    if not columns:
        return None
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        prepare(Path(folder), file, workspace, settings)
        patience = max(AT_LEAST, PER_MINUTE * len(history.minutes)) + within
        failure = ended(command(Path(folder), file, str(settings.symbol), list(columns)), patience)
        try:
            table = table_of(Path(folder), str(settings.symbol))
        except BarsmithError as error:
            kind = "slow" if failure is None else "crash"
            told = f"`barsmith run` does not get as far as its features: {failure or f'no end after {patience:.0f} s'} ({error.code})"
            return findings.add(Leak(file.name, kind, None, None, told))
    for name, column in columns.items():
        found = table.features[name].to_numpy() if name in table.names else np.full(len(column), np.nan)
        if len(found) != len(column):
            found = np.resize(found, len(column))
        difference = differing(found, column, Scale.of(column))
        if difference:
            findings.add(Leak(name, "run", history.bar(difference.first), difference.at_first))
    findings.did.append(f"{file.name}: {len(columns)} features in a data run")
    return None


def prepare(folder: Path, file: Path, workspace: Path, settings: Settings) -> None:
    """A workspace with the same bars, settings and events, and this file alone."""
    raw = raw_file(workspace, str(settings.symbol))
    wanted = {f"data/raw/{raw.name}": raw, file.name: file}
    if settings.events is not None:
        wanted[settings.events] = workspace / settings.events
    for place, source in wanted.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / place)
    (folder / "config").mkdir()
    text = yaml.safe_dump(settings.model_dump(mode="json") | {"features": {"params": params_of(file, settings)}}, sort_keys=False)
    (folder / "config" / "pipeline.yaml").write_text(text)


def params_of(file: Path, settings: Settings) -> dict[str, object]:
    """The settings' periods for families that this file speaks of: others may be of a file that is not there."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return {family: chosen for family, chosen in settings.model_dump(mode="json")["features"]["params"].items() if family in text}


def command(folder: Path, file: Path, symbol: str, names: Sequence[str]) -> list[str]:
    script = Path(sys.executable).with_name("barsmith")
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "barsmith"]
    chosen = [f"features.modules=[{file.name}]", f"features.set=[{', '.join(names)}]", "features.drop=[]"]
    return [*start, "run", "--symbols", symbol, "--workspace", str(folder), *(part for each in chosen for part in ("--set", each))]


def ended(words: Sequence[str], within: float) -> str | None:
    """The last of what a command that ended said; None where it did not end in time."""
    with tempfile.TemporaryFile() as said:  # a pipe may be held by whatever it starts
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)  # noqa: S603 this program
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(OSError, AttributeError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
        said.seek(0)
        lines = said.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else f"it ended with code {process.returncode}"


def table_of(folder: Path, symbol: str) -> FeatureTable:
    """Raises DataError where the run has none, IntegrityError."""
    store = Store(folder, symbol)
    entries = store.entries()
    if "mtf" not in entries:
        raise no_data(symbol, "a data run")
    table: FeatureTable = store.read("mtf", FeatureTable, entries["mtf"])
    return table
