"""A bundle from a training run: copied, hashed, loaded once from where it was built, and only then given its name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from barsmith import __version__
from barsmith.artifacts import canonical_json, read_json, read_sealed, record_of, storage_errors, verify, write_bytes
from barsmith.config import safe_name
from barsmith.errors import BarsmithError, IntegrityError, UsageError
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_record import FILE, SCHEMA_VERSION, digest_of, maths_fingerprint, read_record, versions
from barsmith.serving.trial import remember

FOLDER = "bundles"


def create_bundle(run_dir: Path, name: str, workspace: Path, modules: Iterable[Path] = ()) -> Bundle:
    """Make `bundles/NAME` from a training run's folder. An earlier bundle of that name is replaced as a whole.

    Raises UsageError `bundle/run` for a folder that is no training run, `config/name`, `cli/exists` for a folder that is no bundle;
    IntegrityError `integrity/mismatch` for a run that was changed, `bundle/history-changed` where the bars were built anew since.
    """
    target = workspace / FOLDER / safe_name(name, "bundle's name")
    if target.exists() and not (target / FILE).is_file():
        raise UsageError(
            "cli/exists", expected="a free name or an earlier bundle", came="another folder", do="choose another --name", where=str(target)
        )
    manifest = training_manifest(run_dir)
    data, parts = read_json(run_dir / "config/data.json"), read_json(run_dir / "config/features.json")
    history = workspace / data["minutes"]["path"]
    if not history.is_file() or record_of(history).as_dict() != {k: data["minutes"][k] for k in ("sha256", "size")}:
        raise IntegrityError(
            "bundle/history-changed",
            expected=f"the minutes of data run {data['run_id']}, on which the model was trained",
            came="others, or none",
            do="train again on the data that is there now",
            where=str(history),
        )
    with storage_errors(target, "write the bundle"):
        target.parent.mkdir(parents=True, exist_ok=True)
        built = Path(tempfile.mkdtemp(prefix=f".{name[:40]}.", dir=target.parent))
    try:
        with storage_errors(target, "write the bundle"):
            built.chmod(0o755)
            model = run_dir / "checkpoints/best_model"
            sources = {f"model/{path.relative_to(model)}": path for path in sorted(model.rglob("*")) if path.is_file()}
            for place, path in (sources | {"scaler.json": run_dir / "config/scaler.json", "history.parquet": history}).items():
                write_bytes(built / place, path.read_bytes())
        files = {str(p.relative_to(built)): record_of(p).as_dict() for p in sorted(built.rglob("*")) if p.is_file()}
        record = {
            "schema_version": SCHEMA_VERSION,
            "name": name,
            "symbol": data["symbol"],
            "horizon": data["horizon"],
            "model": manifest["model"],
            "family": manifest["family"],
            "created": datetime.now(UTC).replace(microsecond=0).isoformat(),
            "barsmith": __version__,
            "versions": versions() | manifest.get("package", {}),
            "maths": maths_fingerprint(),
            "settings": read_json(run_dir / "config/settings.json"),
            **parts,
            "classes": [-1, 0, 1],
            "contracts": data["contracts"],
            "trained": {"run": run_dir.name, "data_run": data["run_id"], "rows": str(data["train_rows"]), **data["seen"]},
            "files": files,
        }
        write_bytes(built / FILE, canonical_json(record | {"digest": digest_of(record)}))
        remember(Bundle.load(built, workspace=workspace, modules=modules, trusted=True).record.digest)
        replace_folder(built, target)
    finally:
        shutil.rmtree(built, ignore_errors=True)
    return Bundle.load(target, workspace=workspace, modules=modules)


def training_manifest(run_dir: Path) -> dict[str, Any]:
    """The manifest of a training run, after comparing every file with it."""
    if not (run_dir / "manifest.json").is_file():
        raise UsageError(
            "bundle/run",
            expected="the folder of a training run, as `barsmith train` prints it",
            came=ascii(str(run_dir))[:160],
            do="check --run",
        )
    manifest: dict[str, Any] = read_json(run_dir / "manifest.json")
    if not isinstance(manifest, dict) or not {"model", "family", "files"} <= set(manifest):
        raise UsageError(
            "bundle/run", expected="the folder of a training run", came="another manifest", do="check --run", where=str(run_dir)
        )
    verify(run_dir, read_sealed(run_dir / "manifest.json")["files"])
    return manifest


def replace_folder(built: Path, target: Path) -> None:
    with storage_errors(target, "put the bundle in its place"):
        if not target.exists():
            built.rename(target)
            return
        old = target.with_name(f".{target.name[:40]}.{built.name[-8:]}.old")
        target.rename(old)
        built.rename(target)
        shutil.rmtree(old)


def list_bundles(workspace: Path) -> list[dict[str, Any]]:
    """Every bundle of a workspace: name, symbol, horizon, model, created, and whether it verifies (`state` says what is wrong)."""
    rows: list[dict[str, Any]] = []
    for folder in sorted(p for p in (workspace / FOLDER).glob("*") if p.is_dir() and not p.name.startswith(".")):
        try:
            record = read_record(folder)
        except BarsmithError as error:
            rows.append({"name": folder.name, "symbol": None, "horizon": None, "model": None, "created": None, "state": error.code})
            continue
        made = f"{record.created:%Y-%m-%d %H:%M} UTC"
        rows.append(
            {"name": folder.name, "symbol": record.symbol, "horizon": record.horizon, "model": record.model, "created": made, "state": "ok"}
        )
    return rows
