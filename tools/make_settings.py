"""Makes docs/settings.md: every setting with its type, limits and default from the code, and what it does from config/pipeline.yaml.

    .venv/bin/python tools/make_settings.py

A test compares the page with both, so whoever adds or changes a setting runs it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.config import TIMEFRAMES, BarrierSettings, ContractSettings, Settings
from barsmith.config_words import as_yaml, comments, form_of, leaves

ROOT = Path(__file__).parents[1]
PAGE, YAML = ROOT / "docs" / "settings.md", ROOT / "config" / "pipeline.yaml"
HEAD = """# Every setting

Made by `tools/make_settings.py` from the code and `config/pipeline.yaml`. A key is written so in `config/pipeline.yaml` (nested), as `--set KEY=VALUE`
and, in capitals with two underscores for each dot, in the environment: `BARSMITH__LABELS__K_UP=2`. The command line wins over the environment, the
environment over the file. Flat `train_pct val_pct test_pct purge_bars embargo_bars` mean those of `splits`.

| key | type and limits | default | what it does |
|---|---|---|---|
"""
PER_SYMBOL = {"barriers": BarrierSettings, "instruments": ContractSettings}
RUNGS = ", ".join(f"`{name}`" for name in TIMEFRAMES)
FORMS = {
    "base_timeframe": RUNGS,
    "timeframes": f"list of {RUNGS}",
    "datasets.multires_timeframes": f"list of {RUNGS}",
    **{f"features.{name}": "text or list of texts" for name in ("set", "drop")},
    "rolls": "list of times, or for each symbol one",
    "label_horizons": "list of whole numbers, 1 to 1000",
    "features.params": "for each feature its parameters: lists of values",
    "verdict.levels": "for a timeframe and horizon what `default` holds",
}


@dataclass(frozen=True)
class Line:
    """One setting. default: as YAML."""

    key: str
    form: str
    default: str
    what: str

    def __str__(self) -> str:
        return f"| `{self.key}` | {self.form} | {self.default} | {self.what} |"


def page() -> str:
    return HEAD + "\n".join(map(str, lines())) + "\n"


def lines() -> Iterator[Line]:
    schema = Settings.model_json_schema()
    told = comments(YAML.read_text())
    defaults = Settings().model_dump(mode="json")
    for key, one in leaves(schema, schema["$defs"]):
        if key == "version":
            continue
        form = FORMS.get(key) or form_of(one, schema["$defs"])
        yield Line(key, form.replace("|", "or"), default_of(key, defaults), what_of(key, told))
        if key in PER_SYMBOL:
            yield from of_each_symbol(key, PER_SYMBOL[key].model_json_schema())


def of_each_symbol(section: str, schema: dict[str, Any]) -> Iterator[Line]:
    for name, one in schema["properties"].items():
        required = name in schema.get("required", ())
        default = "required" if required else code(one["default"]) if one.get("default") is not None else "the contract's own"
        yield Line(f"{section}.SYMBOL.{name}", form_of(one, schema.get("$defs", {})), default, SYMBOL_WORDS[name])


SYMBOL_WORDS = {
    "k_up": "upper barrier of this contract",
    "k_down": "lower barrier of this contract",
    "unit": "of both",
    "tick": "smallest step of the price",
    "usd_per_point": "dollars for a move of 1.0 in price",
    "fee_per_side_usd": "dollars for each contract bought or sold",
    "slippage_ticks": "ticks lost in a round trip",
    "calendar": "equity_index, metals, energy or always",
    "min_price": "a bar below is refused",
    "max_price": "a bar above is refused",
}


def default_of(key: str, defaults: dict[str, Any]) -> str:
    if key == "splits.embargo_bars":
        return "five days of base bars: 1440 of 5m"
    value: Any = defaults
    for part in key.split("."):
        value = value[part]
    return code(value)


def code(value: Any) -> str:
    return f"`{as_yaml(value)}`"


def what_of(key: str, told: dict[str, str]) -> str:
    return WORDS.get(key) or told[key].replace("|", "or")


WORDS = {
    "random_seed": "the one seed from which everything drawn at random is spread",
    "timeframes": "the ladder: rungs that features may read, from short to long; base_timeframe is one of them",
    "ingest.on_bad_rows": "a bar that cannot be ends the run (refuse), or is set aside and counted (quarantine)",
    "sessions.hours": "electronic hours, regular hours, or every minute: minutes outside are dropped and counted",
    "splits.val_start": "instead of the shares: the trade date (2025-09-01) with which validation begins",
    "splits.test_start": "and test; purge and embargo are taken off as with shares",
    "datasets.sequence_length": "base bars in a window of a model that reads sequences",
    "datasets.multires_timeframes": "rungs of a model that reads several",
    "splits.train_pct": "share of the base bars, the earliest",
    "splits.val_pct": "share of the base bars between",
    "splits.test_pct": "share of the base bars, the latest; the three add up to 1",
    "verdict.default.auc_macro": "an area under the curve, averaged over the classes, that is too good to be true",
    "verdict.default.auc_direction": "the same of up against down among the touched rows",
    "verdict.default.accuracy_over_majority": "the same of the accuracy above that of the most frequent class",
    "clock.bars_per_session": "bars that a session is meant to have where the threshold trails",
    "label_horizons": "how far ahead labels look, in base bars",
    "events": "your own dated file of scheduled events, known in advance: a CSV with the columns datetime (with its zone) and event",
    "clock.sessions": "sessions before, whose average total gives a trailing threshold; the first so many are not trained on",
    "labels.method": "what a label asks of the future: docs/labels.md",
    "labels.trials": "barriers tried for each horizon",
    "labels.search": "Optuna's sampler: the Parzen estimator, or the genetic one",
    "labels.cusum_threshold": "how far the price must have moved since the last event, in cusum_unit",
    "scaling.clip": "scaled features are clipped at plus and minus so many interquartile ranges",
}


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{len(list(lines()))} settings -> {PAGE}")  # noqa: T201


if __name__ == "__main__":
    main()
