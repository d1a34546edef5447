"""Makes the README's table of models: validation scores with intervals beside the baselines, from the trainings of a workspace.

    barsmith train --model all --horizon 20 --workspace WORKSPACE
    .venv/bin/python tools/make_model_table.py WORKSPACE [--symbol MES] [--horizon 20] [--write]

Of each model the newest training counts; all must be of the same data run. `--write` puts the table between the two marks in README.md,
`<!-- models -->` and `<!-- /models -->`; without it the table is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from barsmith.artifacts import read_json, read_sealed, verify
from barsmith.models.registry import FAMILIES
from barsmith.models.yaml_params import load_params

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- models -->", "<!-- /models -->"
COLUMNS = {
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "log_loss": "log loss",
    "auc_timing": "AUC timing",
    "auc_direction": "AUC direction",
}
BASELINES = {
    "majority": "*majority class*",
    "train_frequencies": "*train frequencies*",
    "last_direction": "*last direction*",
    "time_of_day": "*time of day*",
}


def trainings(workspace: Path, symbol: str, horizon: int) -> dict[str, dict[str, Any]]:
    """{model: what its newest training says}, by family; every file is what its manifest says. Exits where they are of several data runs."""
    found: dict[str, dict[str, Any]] = {}
    for folder in sorted(
        (workspace / "experiments" / "runs").glob(f"*_{symbol}_h{horizon}_*"), key=lambda path: path.name.rsplit("_", 1)[1]
    ):
        if not (folder / "manifest.json").is_file():
            continue
        manifest = read_sealed(folder / "manifest.json")
        verify(folder, manifest["files"])
        told = read_json(folder / "metrics" / "training_metrics.json")
        about = {name: read_json(folder / "config" / f"{name}.json") for name in ("data", "params")}
        found[manifest["model"]] = {**told, **about, "family": manifest["family"]}
    if not found:
        raise SystemExit(f"no training of {symbol} with horizon {horizon} in {workspace}")
    runs = {each["data"]["run_id"] for each in found.values()}
    if len({each["data"]["fingerprint"] for each in found.values()}) > 1:
        raise SystemExit(f"trainings of different data: {', '.join(sorted(runs))}; train all of them again")
    return dict(sorted(found.items(), key=lambda item: list(FAMILIES).index(item[1]["family"])))


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of Markdown: the models, then the baselines of the rows that most of them were judged on."""
    lines = [f"| model | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, told in found.items():
        cells = (shown(told["metrics"]["val"][key], told["intervals"]["val"][key]) for key in COLUMNS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    widest = max(found.values(), key=lambda told: told["rows"]["val"])
    for name, label in BASELINES.items():
        lines.append(f"| {label} | {' | '.join(shown(widest['baselines'][name][key], None) for key in COLUMNS)} |")
    return lines


def shown(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.3f}".replace("0.", ".", 1)
    return text if interval is None else f"{text} [{', '.join(f'{end:.3f}'.replace('0.', '.', 1) for end in interval)}]"


def summary(found: dict[str, dict[str, Any]], symbol: str, horizon: int) -> list[str]:
    """What the table shows, counted: who is better than the clock, who knows the direction, and how many were tried."""
    best = [name for name, told in found.items() if whole(told["better_than_baselines"]["time_of_day"]["log_loss"], below=0.0)]
    timing = [name for name, told in found.items() if whole(told["intervals"]["val"]["auc_timing"], above=0.5)]
    direction = [name for name, told in found.items() if whole(told["intervals"]["val"]["auc_direction"], above=0.5)]
    rows = sorted({told["rows"]["val"] for told in found.values()})
    trials = max(told["trials"] for told in found.values())
    return [
        f"{symbol}, horizon {horizon}, validation ({' to '.join(f'{count:,}' for count in dict.fromkeys((rows[0], rows[-1])))} rows), {settings_of(found)}, "
        f"95 % intervals by drawing whole sessions; the test split is closed. {trials} configurations have been scored on it. "
        f"A lower log loss than the time-of-day table, with its whole interval: {named(best)}. Skill in timing: {named(timing)}. "
        f"Skill in direction: {named(direction)}. By luck alone one such interval in forty lies wholly on the better side."
    ]


def settings_of(found: dict[str, dict[str, Any]]) -> str:
    """What was not as it ships, by value; the device is not looked at."""
    changed: dict[str, list[str]] = {}
    for name, told in found.items():
        usual = shipped(name)
        other = [f"{key} {value}" for key, value in told["params"].items() if key != "device" and value != usual.get(key)]
        if other:
            changed.setdefault(" and ".join(sorted(other)), []).append(name)
    told_apart = [f"{what} for {named(names)}" for what, names in changed.items()]
    return "settings as they ship" + (f" but {'; '.join(told_apart)}" if changed else "")


def shipped(name: str) -> dict[str, Any]:
    return load_params(name)[1].model_dump(mode="json")


def whole(interval: list[float] | None, *, below: float | None = None, above: float | None = None) -> bool:
    """The whole interval lies on that side."""
    if interval is None:
        return False
    return interval[1] < below if below is not None else above is not None and interval[0] > above


def named(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def written(readme: str, lines: list[str]) -> str:
    """The README with the table between the two marks."""
    if BEGIN not in readme or END not in readme:
        raise SystemExit(f"README.md has no {BEGIN} and {END}: write both on lines of their own where the table is to stand")
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--symbol", default="MES")
    parser.add_argument("--horizon", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = trainings(given.workspace, given.symbol, given.horizon)
    lines = [*summary(found, given.symbol, given.horizon), "", *table(found)]
    if given.write:
        file = ROOT / "README.md"
        file.write_text(written(file.read_text(encoding="utf-8"), lines), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
