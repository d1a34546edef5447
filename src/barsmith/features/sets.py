"""Which features a run computes: named sets, a user's own list of names and patterns, and what is dropped from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from barsmith.config import FeatureSettings
from barsmith.errors import UsageError, did_you_mean
from barsmith.features.registry import Feature

#: Groups that are there because the user brought a file: they are part of every named set.
BROUGHT = ("user", "events")
#: Raw prices of the rungs, which only a model of several resolutions reads.
RAW_PRICES = "multires"
MINIMAL = (
    *("log_return_1", "log_return_12", "range_position_50", "wavelet_slope_db4"),
    *("sma_distance_50", "rsi_14", "macd_histogram_12_26_9", "adx_14", "efficiency_ratio_30"),
    *("atr_to_close_14", "realized_volatility_48", "bollinger_position_20", "volume_zscore_50", "vwap_session_distance"),
    *("order_flow_imbalance_20", "hour_sin", "hour_cos", "session_progress", "rsi_on_1h", "return_on_1h"),
)
"""Twenty for a quick look: what moved, how far, how fast, how wildly, on how much volume, at what time; settled within two sessions."""


def is_tabular(one: Feature) -> bool:
    return one.group != RAW_PRICES


def is_sequence(one: Feature) -> bool:
    return is_tabular(one) and not one.timeframes


def is_multires(one: Feature) -> bool:
    return one.group in (RAW_PRICES, *BROUGHT)


def is_minimal(one: Feature) -> bool:
    return one.name in MINIMAL or one.group in BROUGHT


SETS: dict[str, Callable[[Feature], bool]] = {
    "tabular": is_tabular,
    "sequence": is_sequence,
    "multires": is_multires,
    "minimal": is_minimal,
}


def chosen_from(known: Mapping[str, Feature], settings: FeatureSettings) -> dict[str, Feature]:
    """The features of `known` that are in one of `settings.set` and not in `settings.drop`, in the order of `known`.

    Raises UsageError `config/unknown-name` for a name or pattern that fits nothing, `features/none` where no feature is left.
    """
    wanted = {name for each in settings.set for name in members(each, known, settings.params)}
    dropped = {name for each in settings.drop for name in fitting(each, known, "features.drop")}
    left = {name: one for name, one in known.items() if name in wanted and name not in dropped}
    if not left:
        raise UsageError(
            "features/none",
            expected="features.set and features.drop to leave one feature or more",
            came="none",
            do="name a set, as `set: tabular`, and drop less",
            where="features.set",
        )
    return left


def members(each: str, known: Mapping[str, Feature], periods: Collection[str]) -> list[str]:
    """The names that a set, a name or a pattern stands for. periods: families whose periods the user chose.

    A family of the minimal set comes with the periods that were chosen for it.
    """
    if each not in SETS:
        return fitting(each, known, "features.set", SETS)
    own = {family for family in periods if each == "minimal" and any(name.startswith(f"{family}_") for name in MINIMAL)}
    return [name for name, one in known.items() if SETS[each](one) or one.family in own]


def fitting(pattern: str, known: Collection[str], where: str, others: Iterable[str] = ()) -> list[str]:
    """The names that a pattern as `rsi_*` fits, one at least. others: what might have been meant as well."""
    found = [name for name in known if fnmatchcase(name, pattern)]
    if not found:
        near = did_you_mean(pattern, [*others, *known])
        raise UsageError(
            "config/unknown-name",
            expected=f"{where} to name {'sets or ' if others else ''}features",
            came=ascii(pattern)[:80],
            do=near if len(known) < 20 else f"see `barsmith features list`; {near}"[:300],
            where=where,
        )
    return found
