"""What callers of the import pass is checked before any file is read: one message, with what was expected."""

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError
from trajstore.pipeline import Columns, Import, import_files
from trajstore.pipeline.cli.main import main

ALL_TO_TRAIN = {"validation": 0.0, "test": 0.0}


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, state=np.random.default_rng(0).standard_normal((3, 5, 2)), time=np.arange(5.0))
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: [path], lambda path: (str(path),)])
def test_one_file_may_stand_alone(tmp_path, arrays, kind):
    made = import_files(kind(arrays), tmp_path / "out", Import(**ALL_TO_TRAIN))
    assert made.manifest.splits["train"].trajectories == 3


def test_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected at least one file"):
        import_files([], tmp_path / "out", Import())


SETTINGS = {
    "seed": (-1, 2**63, 1.5, True),
    "length": (0, 1, -3, 2.5),
    "resample": (-1, 0, float("nan"), float("inf"), "0.1", True),
    "validation": (-1, 1, float("nan"), "0.1"),
    "test": (-0.1, float("inf")),
    "time_unit": ("", "  ", 5),
    "name": (5, None),
    "by": ("row",),
    "dtype": ("float16",),
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in SETTINGS.items() for value in values]
)
def test_settings_that_are_of_no_use_are_refused(tmp_path, arrays, key, value):
    with pytest.raises(DataError, match=f"^{key} is .*expected"):
        import_files(arrays, tmp_path / "out", Import(**{**ALL_TO_TRAIN, key: value}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("components", ["x1"]),
        ("components", "x1"),
        ("components", {"x": 1}),
        ("parameters", ["m"]),
        ("time", 5),
        ("step", -1.0),
        ("step", float("nan")),
        ("dimensions", "time"),
        ("dimensions", ("trajectory",)),
        ("dimensions", ("time", "space")),
        ("decimal", ";"),
    ],
)
def test_columns_of_another_kind_are_refused(key, value):
    with pytest.raises(DataError, match=f"^{key} (is|are) .*expected"):
        Columns(**{key: value})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--decimal", ","), "a.npz: --decimal , is for tables"),
        (("--time-unit", ""), "time_unit is ''; expected a unit"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(tmp_path, arrays, option, message):
    done = CliRunner().invoke(main, ["import", str(arrays), "--out", str(tmp_path / "out"), *option])
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
