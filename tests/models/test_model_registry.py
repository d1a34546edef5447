"""Names for models."""

from __future__ import annotations

import subprocess
import sys

import pytest

from barsmith.errors import UsageError
from barsmith.models import BaseModel, ModelRegistry, PredictionOutput, register
from barsmith.models.registry import SHIPPED, plugins, registered, shipped_info


class Plain(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val):
        return None

    def predict(self, X):
        return PredictionOutput.of(X)


@pytest.fixture(autouse=True)
def _register_as_it_was():
    before = dict(registered)
    yield
    shipped = {name: cls for name, cls in registered.items() if name in SHIPPED}  # whose modules will not be run again
    registered.clear()
    registered.update(shipped | before)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_table_says_what_the_classes_register(name):
    told = shipped_info(name)
    assert ModelRegistry.get(name).info == told
    assert told.summary.endswith(".") or "Source" in told.summary
    assert told.is_installed or name == "timesfm"  # the one whose library no extra of ours brings


def test_every_model_file_is_in_the_table():
    from pathlib import Path

    import barsmith.models

    room = Path(barsmith.models.__file__).parent
    with_models = {p for p in room.rglob("*.py") if "\n@register(name=" in p.read_text()}
    in_table = {room.joinpath(*module.split(".")[2:]).with_suffix(".py") for module, _ in SHIPPED.values()}
    assert with_models - in_table == set()


def test_listing_and_describing_import_no_library():
    code = (
        "import sys; from barsmith.models import ModelRegistry;"
        "print(ModelRegistry.info('xgboost').family, all(ModelRegistry.info(n).family for n in ModelRegistry.list_all()));"
        "print(*{'sklearn', 'xgboost', 'torch', 'scipy', 'pandas', 'numba', 'polars', 'pyarrow'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == ["boosting True", ""]


def test_a_typo_gets_a_suggestion():
    for call in (ModelRegistry.get, ModelRegistry.info, ModelRegistry.create):
        with pytest.raises(UsageError) as error:
            call("xgbost")
        assert (error.value.code, error.value.do) == ("config/unknown-name", "did you mean xgboost or catboost?")


def test_a_family_says_what_is_read():
    @register(name="mine", family="neural")
    class Mine(Plain):
        """Windows."""

    assert (Mine.info.reads, Mine.info.needs_scaling, Mine.info.summary) == ("sequence", True, "Windows.")
    assert ModelRegistry.list_all() == [*SHIPPED, "mine"]
    assert ModelRegistry.get("mine") is Mine
    assert ModelRegistry.register(name="other", family="boosting", reads="multires")(Plain).info.needs_scaling is False


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"name": "My Model", "family": "boosting"}, "config/name"),
        ({"name": "../up", "family": "boosting"}, "config/name"),
        ({"name": "x" * 300, "family": "boosting"}, "config/name"),
        ({"name": "mine", "family": "bosting"}, "config/unknown-name"),
        ({"name": "mine", "family": "boosting", "reads": "rows"}, "config/unknown-name"),
        ({"name": "xgboost", "family": "boosting"}, "config/duplicate-name"),
    ],
)
def test_a_wrong_registration_is_refused(words, code):
    with pytest.raises(UsageError) as error:
        register(**words)(Plain)
    assert error.value.code == code


def test_two_classes_of_one_name_are_refused():
    register(name="mine", family="boosting")(Plain)
    register(name="mine", family="boosting")(Plain)  # the same class again, as after a reload

    class Other(Plain):
        pass

    with pytest.raises(UsageError) as error:
        register(name="mine", family="boosting")(Other)
    assert error.value.code == "config/duplicate-name"


def test_a_class_with_an_init_of_its_own_is_made_from_its_parameters():
    class Nothing(Plain):
        def __init__(self):
            super().__init__()
            self.trees = []

    class Named(Plain):
        def __init__(self, depth=2, rate=0.1):
            self.seen = (depth, rate)

    class Whole(Plain):
        def __init__(self, params):
            self.seen = params.depth

    class Any(Plain):
        def __init__(self, **values):
            self.seen = sorted(values)

    for name, cls in {"nothing": Nothing, "named": Named, "whole": Whole, "any": Any}.items():
        register(name=name, family="boosting")(cls)
        assert ModelRegistry.create(name, depth=5).params.depth == 5
    assert ModelRegistry.create("nothing").trees == []
    assert ModelRegistry.create("named", depth=5).seen == (5, 0.1)
    assert ModelRegistry.create("whole", depth=5).seen == 5
    assert ModelRegistry.create("any", depth=5).seen == ["depth", "params"]
    assert Named(depth=7).params.depth == 7


def test_what_is_no_model_is_refused():
    class WithoutPredict(BaseModel):
        def fit(self, X_train, y_train, X_val, y_val):
            return None

    class OtherParams(Plain):
        Params = dict

    for cls in (WithoutPredict, OtherParams, int, "Plain"):
        with pytest.raises(UsageError) as error:
            register(name="mine", family="boosting")(cls)
        assert error.value.code == "models/class"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Another package, `plug`, as an installer leaves it."""

    def install(entry: str, source: str) -> None:
        about = tmp_path / "plug-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[barsmith.models]\n{entry}\n")
        (tmp_path / "plug.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        plugins.cache_clear()

    yield install
    plugins.cache_clear()
    sys.modules.pop("plug", None)


PLUG = """
from barsmith.models import BaseModel, PredictionOutput, register

@register(name="plugged", family="boosting")
class Plugged(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val): ...
    def predict(self, X): return PredictionOutput.of(X)
"""


def test_a_model_of_another_package_is_listed_unloaded_and_loaded_by_name(installed):
    installed("plugged = plug:Plugged", PLUG)
    assert "plugged" in ModelRegistry.list_all()
    assert (ModelRegistry.info("plugged").origin, ModelRegistry.info("plugged").family) == ("plug", "")
    assert "plug" not in sys.modules
    assert ModelRegistry.get("plugged").__name__ == "Plugged"
    assert ModelRegistry.info("plugged").family == "boosting"


def test_a_model_of_the_user_may_not_take_a_packages_name(installed):
    installed("plugged = plug:Plugged", PLUG)
    with pytest.raises(UsageError) as error:
        register(name="plugged", family="boosting")(Plain)
    assert error.value.code == "config/duplicate-name"


@pytest.mark.parametrize(
    ("entry", "source"), [("plugged = plug:Nothing", PLUG), ("plugged = plug", "import no_such_library"), ("other = plug", PLUG)]
)
def test_a_broken_package_is_named(installed, entry, source):
    installed(entry, source)
    with pytest.raises(UsageError, match=r"plug") as error:
        ModelRegistry.get(entry.split(" ")[0])
    assert error.value.code == "models/module"
