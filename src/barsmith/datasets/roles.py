"""Column roles: what a column of a table is for, so that only features ever reach a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from barsmith.errors import DataError

Role = Literal["feature", "label", "weight", "meta"]

META = ("datetime", "decision", "session_id", "minutes_since_open", "last_direction", "is_settled", "is_event")
_ANSWERS: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"label(_end)?_h\d+|return_h\d+"), "label"),
    (re.compile(r"sample_weight_h\d+"), "weight"),
)


def reserved_role(name: str) -> Role | None:
    """The role that a column's name has by itself; None for a name that is free to be a feature."""
    if name in META:
        return "meta"
    return next((role for pattern, role in _ANSWERS if pattern.fullmatch(name)), None)


def roles_of(columns: Iterable[str], feature_names: Iterable[str]) -> dict[str, Role]:
    """{column: role} of a table, in its order. A column that is neither a feature nor known by its name is meta.

    Raises DataError `datasets/role` when a label, weight or meta column stands among the features.
    """
    features = set(feature_names)
    roles: dict[str, Role] = {name: "feature" if name in features else reserved_role(name) or "meta" for name in columns}
    check_features(list(feature_names), roles)
    return roles


def check_features(feature_names: Sequence[str], roles: Mapping[str, str]) -> None:
    """Refuse anything but features as a model's input. Raises DataError `datasets/role`."""
    for name in feature_names:
        role = reserved_role(name) or roles.get(name)
        if role != "feature":
            raise DataError(
                "datasets/role",
                expected="columns with the role feature as a model's input",
                came=f"{name}, " + (f"which is a {role} column" if role else "which the table does not have"),
                do=f"take {name} out of the features" if role else "run the pipeline again with this feature",
            )
    if len(set(feature_names)) < len(feature_names):
        twice = next(name for i, name in enumerate(feature_names) if name in feature_names[:i])
        raise DataError("datasets/role", expected="each feature once", came=f"{twice} twice", do=f"take one {twice} out of the features")
