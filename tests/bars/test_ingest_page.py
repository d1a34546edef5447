"""What docs/ingest.md shows is what there is: its settings are the defaults."""

from __future__ import annotations

import re
from pathlib import Path

from barsmith.config import Settings
from barsmith.config_reading import load_settings

PAGE = (Path(__file__).parents[2] / "docs/ingest.md").read_text()


def test_the_settings_of_the_page_are_the_defaults(tmp_path: Path) -> None:
    block = re.search(r"## Settings\n\n((?:    .*\n)+)", PAGE)
    assert block is not None
    text = re.sub(r"(?m)^    ", "", block[1])
    (tmp_path / "config").mkdir()
    (tmp_path / "config/pipeline.yaml").write_text(text)
    assert load_settings(tmp_path).settings == Settings()
    for section in ("ingest", "clean", "sessions"):
        named = set(re.findall(r"(?m)^  (\w+):", text.split(f"{section}:\n")[1].split("\nrolls")[0]))
        assert set(Settings.model_fields[section].annotation.model_fields) - {"allow_outside"} <= named  # type: ignore[union-attr]
