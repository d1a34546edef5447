"""Makes docs/catalogue.md and src/barsmith/features/settled.json from the registry, settling measured: about a minute.

    .venv/bin/python tools/make_catalogue.py

A test compares both with the registry, so whoever adds or changes a feature runs it again.
"""

from __future__ import annotations

from pathlib import Path

from barsmith.features.catalogue_page import catalogue_page
from barsmith.features.registry import catalogue
from barsmith.features.settled import as_json, measure

ROOT = Path(__file__).parents[1]
PAGE, RECORD = ROOT / "docs" / "catalogue.md", ROOT / "src" / "barsmith" / "features" / "settled.json"


def main() -> None:
    features = catalogue()
    measured = measure(features)
    RECORD.write_text(as_json(measured), encoding="utf-8")
    PAGE.write_text(catalogue_page(features, measured), encoding="utf-8")
    print(f"{len(features)} features -> {PAGE} and {RECORD}")  # noqa: T201


if __name__ == "__main__":
    main()
