"""What differs between two runs: settings, code, inputs, versions, rows, labels, features, findings.

A run keeps all of it in its own folder, since later runs write over what lies in data/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.artifacts import read_sealed
from barsmith.pipeline.explaining import leaves
from barsmith.pipeline.run_folder import DONE, RunFolder, RunState
from barsmith.pipeline.stages import STAGE_NAMES

Pair = list[Any]
"""[of run a, of run b]."""
RAW_FACTS = ("source", "rows_read", "rows_kept", "first", "last")


@dataclass(frozen=True)
class KeptRun:
    """What a run left in its folder. made_of, manifest, feature_set, data_sets: empty where it did not come so far."""

    run_id: str
    state: RunState
    settings: Mapping[str, Any]
    made_of: Mapping[str, Any]
    manifest: Mapping[str, Any]
    feature_set: Mapping[str, Any]
    data_sets: Mapping[str, Any]

    @classmethod
    def read(cls, workspace: Path, run_id: str) -> KeptRun:
        """Raises UsageError `run/not-found`, IntegrityError where a record was changed."""
        folder = RunFolder.find(workspace, run_id)
        state, (settings, _) = folder.state(), folder.config()
        names = ("made_of", "manifest", "feature_set_manifest", "dataset_manifest")
        records = [read_sealed(path) if (path := folder.folder / f"{name}.json").is_file() else {} for name in names]
        return cls(run_id, state, leaves(settings.model_dump(mode="json")), *records)

    @property
    def facts(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.manifest.get("facts", {})
        return found

    @property
    def rows(self) -> dict[str, int | None]:
        return {line.name: line.rows for line in self.state.stages}

    @property
    def findings(self) -> dict[str, str]:
        """Code and concerned columns -> the sentence."""
        return {f"{one['code']} {' '.join(one['columns'])}".strip(): one["what"] for one in self.facts.get("findings", ())}

    def silence(self) -> str | None:
        """What this run cannot tell, and why; None where it is whole."""
        if self.state.only is not None:
            return f"{self.run_id} made {self.state.only} alone: of data it tells nothing else"
        if self.state.status != DONE:
            return f"{self.run_id} did not finish ({self.state.status}): labels, features and findings are not compared"
        return None if self.facts else f"{self.run_id} was made before runs kept their facts: code, labels and findings are not compared"


def compare(workspace: Path, run_a: str, run_b: str) -> dict[str, Any]:
    """Every difference as [of a, of b]; nothing stands where nothing differs.

    Returns a, b, is_same, notes, settings (by dotted key), versions, code {module: {stages, digests}}, inputs, stages (whose key differs),
    rows (by stage), splits, barriers, label_shares (of labelled rows, by split, horizon and label) and idle_shares (of all rows: those without a
    label, by split, horizon and why), features {added, removed, newly_kept, no_longer_kept},
    findings {added, removed}, is_ready. "added" is what b has and a has not.
    """
    a, b = (KeptRun.read(workspace, run_id) for run_id in (run_a, run_b))
    notes = [said for each in (a, b) if (said := each.silence()) is not None]
    both = not notes
    found: dict[str, Any] = {
        "settings": different(a.settings, b.settings),
        "versions": different(a.made_of.get("versions", {}), b.made_of.get("versions", {})),
        "code": code_differences(a.made_of, b.made_of) if a.made_of and b.made_of else {},
        "inputs": different(inputs_of(a), inputs_of(b)),
        "stages": sorted(different(stage_keys(a), stage_keys(b)), key=order) if a.made_of and b.made_of else [],
        "rows": different(a.rows, b.rows),
        "splits": different(a.facts["splits"], b.facts["splits"]) if both else {},
        "barriers": different(leaves(a.facts["barriers"]), leaves(b.facts["barriers"])) if both else {},
        "label_shares": different(leaves(a.facts["label_shares"]), leaves(b.facts["label_shares"])) if both else {},
        "idle_shares": different(leaves(a.facts.get("idle_shares", {})), leaves(b.facts.get("idle_shares", {}))) if both else {},
        "features": feature_differences(a, b) if both else {},
        "findings": added_and_removed(a.findings, b.findings) if both else {},
        "is_ready": different({"is_ready": a.facts["is_ready"]}, {"is_ready": b.facts["is_ready"]}) if both else {},
    }
    return {"a": run_a, "b": run_b, "is_same": not any(found.values()) and both, "notes": notes, **found}


def different(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Pair]:
    """Key -> [in a, in b] where they differ; null where one has none."""
    return {key: [a.get(key), b.get(key)] for key in sorted({*a, *b}) if a.get(key) != b.get(key)}


def code_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Module -> the stages that run it, and its SHA-256 in a and b."""
    users: dict[str, list[str]] = {}
    for each in (a, b):
        names = sorted(each["code"])
        for stage, one in each["stages"].items():
            for number in one["modules"]:
                users.setdefault(names[number], []).append(stage)
    changed = different(a["code"], b["code"])
    return {module: {"stages": list(dict.fromkeys(users[module])), "digests": pair} for module, pair in changed.items()}


def inputs_of(run: KeptRun) -> dict[str, Any]:
    """What came from outside: the raw file's hash, and where the run finished its rows and times; the user's own files; the contract."""
    given: dict[str, Any] = {}
    for stage in run.made_of.get("stages", {}).values():
        given |= stage["given"]
    quality = run.facts.get("source", {})
    return given | {f"raw_file {key}": quality[key] for key in RAW_FACTS if key in quality}


def stage_keys(run: KeptRun) -> dict[str, str]:
    return {name: stage["key"] for name, stage in run.made_of.get("stages", {}).items()}


def order(stage: str) -> int:
    """Unlisted stages first, then as `status` has them."""
    return STAGE_NAMES.index(stage) if stage in STAGE_NAMES else -1


def feature_differences(a: KeptRun, b: KeptRun) -> dict[str, list[str]]:
    of_a, of_b = (features_of(run) for run in (a, b))
    kept_a, kept_b = (set(run.feature_set["kept"]) for run in (a, b))
    found = {
        "added": sorted(of_b - of_a),
        "removed": sorted(of_a - of_b),
        "newly_kept": sorted((kept_b - kept_a) & of_a),
        "no_longer_kept": sorted((kept_a - kept_b) & of_b),
    }
    return found if any(found.values()) else {}


def features_of(run: KeptRun) -> set[str]:
    return {name for name, role in run.data_sets["roles"].items() if role == "feature"}


def added_and_removed(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, list[str]]:
    """Sentences of b that a has not, and the reverse."""
    found = {"added": [b[key] for key in b if a.get(key) != b[key]], "removed": [a[key] for key in a if b.get(key) != a[key]]}
    return found if any(found.values()) else {}
