"""What is said of a model's file that is none, or not whole: one code, one remedy, whoever reads it."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from barsmith.errors import IntegrityError

#: Weights and leaves are no larger, so that no sum of them overflows.
LARGEST = 1e30


def broken(expected: str, came: str, where: str = "") -> NoReturn:
    raise structure_error(expected, came, where)


def structure_error(expected: str, came: str, where: str) -> IntegrityError:
    do = "restore the file, or train and save the model again"
    return IntegrityError("bundle/structure", expected=expected, came=came, do=do, where=where)


def format_error(expected: str, came: str, where: str) -> IntegrityError:
    return IntegrityError("bundle/format", expected=expected, came=came, do="train and save the model again", where=where)


def check_sizes(values: np.ndarray, at: str, where: str = "") -> None:
    """Raises IntegrityError `bundle/structure` for numbers that are not finite, or whose sums might not be."""
    if not (np.abs(values) <= LARGEST).all():  # NaN compares false
        broken(f"{at} with finite numbers up to {LARGEST:g}", "others", where)
