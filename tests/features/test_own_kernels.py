"""A user's own step kernel works in every process, not only in the first."""

from __future__ import annotations

import os
import subprocess
import sys

OWN = """
from barsmith.features import average, close, feature, kernel, lag, push

@kernel(size=lambda n: n, settling=lambda n: n - 1)
def mean_absolute(state, params, x):
    push(state, abs(x))
    return average(state)

@feature(n=3)
def mean_absolute_return(n):
    \"\"\"Mean size of the last changes. Unit: price.\"\"\"
    return mean_absolute(close - lag(close, 1), n=n)
"""
READ = """
import sys
import numpy as np
from pathlib import Path
from barsmith.features.registry import catalogue
from barsmith.features.graph import Column
(column, _) = catalogue([Path(sys.argv[1])])["mean_absolute_return_3"].expr.read(np.array([np.nan, 1.0, -2.0, 3.0, 5.0]))
print(column.tolist()[-2:])
"""


def test_a_users_kernel_computes_in_a_second_process_and_from_another_place(tmp_path):
    for folder, seed in (("one", "0"), ("one", "1"), ("two", "2")):
        path = tmp_path / folder / "my_features.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(OWN)
        command = [sys.executable, "-c", READ, str(path)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[2.0, 3.3333333333333335]"
