"""The libraries behind models: are they installed, and which command installs them; none is imported to find out."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence

from barsmith.errors import UsageError

#: Module -> the extra that brings it, or for a library of the core the name it is installed under.
EXTRAS = {"catboost": "catboost", "torch": "neural", "safetensors": "neural", "mlflow": "track", "sqlalchemy": "track", "alembic": "track"}
CORE = {"sklearn": "scikit-learn", "xgboost": "xgboost" if sys.platform == "darwin" else "xgboost-cpu"}


def missing(needs: Iterable[str]) -> list[str]:
    """The modules among `needs` that cannot be imported here."""
    return [name for name in needs if importlib.util.find_spec(name) is None]


def install_command(needs: Iterable[str]) -> str:
    """`pip install 'barsmith[neural]'`: what brings all of `needs`; empty where nothing is needed."""
    names = dict.fromkeys(f"'barsmith[{EXTRAS[name]}]'" if name in EXTRAS else CORE.get(name, name) for name in needs)
    return f"pip install {' '.join(names)}" if names else ""


def missing_library(model: str, lacking: Sequence[str]) -> UsageError:
    """`models/missing-library` with the command that installs what the model lacks."""
    is_ours = all(name in EXTRAS or name in CORE for name in lacking)
    expected, do = f"the library {' and '.join(lacking)}", f"run {'`make install`, or ' * is_ours}`{install_command(lacking)}`"
    return UsageError("models/missing-library", expected=expected, came="none installed", do=do, where=f"model {model}")
