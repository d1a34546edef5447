"""What the guides show works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from barsmith.config import LabelSettings
from barsmith.features.registry import catalogue
from barsmith.models import ModelRegistry, discover, fit_model, load_params, predict_model
from barsmith.testing.features import Trial, a_flat_market_is_finite_and_bounded

ROOT = Path(__file__).parents[1]
#: Files that a page tells the reader to write.
USERS_OWN = {"my_features.py"}
PLAINLY = "(high - low) / ta.ATR(high, low, close, timeperiod=n)"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)


def test_the_features_of_the_guide_are_features_and_pass_their_checks(tmp_path, monkeypatch):
    module, kernel, learned, check = blocks("docs/add_a_feature.md")
    own = tmp_path / "my_features.py"
    own.write_text(
        module
        + "\n"
        + kernel
        + "\n\n@feature(n=5)\ndef mean_absolute_return(n):\n    return mean_absolute(close / lag(close, 1) - 1, n=n)\n"
        + learned
    )
    mine = {name for name, f in catalogue([own]).items() if f.group == "user"}
    returns = {"return_zscore_1h", "return_zscore_4h", "mean_absolute_return_5"}
    assert mine == {"range_share_10", "range_share_30", "close_position", "volume_surprise_24", *returns}
    monkeypatch.chdir(tmp_path)
    exec(check, {})


def test_the_guide_shows_what_a_check_says_of_a_plain_division(tmp_path):
    page = (ROOT / "docs/add_a_feature.md").read_text()
    own = tmp_path / "my_features.py"
    divided = blocks("docs/add_a_feature.md")[0].replace("ratio(high - low, ta.ATR(high, low, close, timeperiod=n))", PLAINLY)
    own.write_text(divided)
    assert PLAINLY in divided
    with pytest.raises(AssertionError) as raised:
        a_flat_market_is_finite_and_bounded(Trial.of(own))
    assert "\n".join(f"      {line}" for line in str(raised.value).splitlines()) in page


def test_the_model_of_the_guide_trains_and_answers(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "nearest.py").write_text(blocks("docs/add_a_model.md")[1])
    assert discover(tmp_path) == ["nearest_mean"]
    cls, params = load_params("nearest_mean", tmp_path, ["training.temperature=5"])
    rng = np.random.default_rng(0)
    y = np.tile(np.array([-1, 0, 1], np.int8), 50)
    X = (rng.normal(size=(150, 4)) + 2 * y[:, None]).astype(np.float32)
    model = cls(params)
    fit_model(model, X[:120], y[:120], X[120:], y[120:], feature_names=("a", "b", "c", "d"))
    assert (predict_model(model, X).signal == y).mean() > 0.8
    assert "nearest_mean" in ModelRegistry.list_all()
    discover(tmp_path / "elsewhere")
    assert "nearest_mean" not in ModelRegistry.list_all()


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/architecture.md",
        "CONTRIBUTING.md",
        "docs/add_a_feature.md",
        "docs/add_a_model.md",
        "docs/model_settings.md",
        "docs/tracking.md",
        "docs/labels.md",
        "docs/datasets.md",
    ],
)
def test_every_file_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:docs|tests|bench|examples|scripts|config|src|tools)/[\w./-]+\w)`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]))
def test_every_python_file_that_a_page_names_by_its_name_alone_is_in_the_tree(page):
    there = {path.name for folder in ("src", "tests", "tools", "bench", "examples", "scripts") for path in (ROOT / folder).rglob("*.py")}
    named = set(re.findall(r"`(\w+\.py)`", (ROOT / page).read_text()))
    assert named - there - USERS_OWN == set()


def test_the_examples_of_the_labels_page_run_and_its_settings_are_the_defaults(capsys):
    for block in blocks("docs/labels.md"):
        exec(block, {})
    said = capsys.readouterr().out
    assert "[0.83 0.75 1.  ]" in said
    assert "'unlabelled'" in said
    page = (ROOT / "docs/labels.md").read_text()
    written = yaml.safe_load(re.search(r"    labels:\n(?:      .*\n)+", page)[0])
    assert written["labels"] == LabelSettings().model_dump()
