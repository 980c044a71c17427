"""The package as a user imports it, each time in a fresh interpreter: imports depend on what came before."""

import subprocess
import sys
from pathlib import Path

import pytest
import trajstore.data

pytestmark = pytest.mark.slow


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("before", ["", "from trajstore.pipeline import generate, reintegrate; "])
def test_every_public_name_is_a_class_or_a_function_whatever_was_imported_before(before):
    names = ", ".join(trajstore.data.__all__)
    kinds = f"[name for name in ({names},) if not callable(name)]"
    assert run(f"{before}from trajstore.data import {names}; print({kinds})") == "[]"


def test_verify_is_the_function_when_it_is_all_that_is_imported(small_dataset):
    assert run(f"from trajstore.data import verify; print(verify({str(small_dataset)!r}))") == "[]"


def test_reading_needs_no_code_that_generates_or_learns(small_dataset):
    found = "[name for name in sys.modules if name.startswith(('trajstore.pipeline', 'trajstore.models'))]"
    path = repr(str(small_dataset))
    code = f"import sys; from trajstore.data import TrajectoryDataset; TrajectoryDataset({path})[0]; print({found})"
    assert run(code) == "[]"


def test_generating_and_verifying_do_not_import_torch():
    code = "import sys; from trajstore.pipeline import generate, reintegrate, verify; print('torch' in sys.modules)"
    assert run(code) == "False"


def test_the_command_loads_nothing_slow_before_it_knows_what_is_asked():
    slow = "{'torch', 'sympy', 'heyoka', 'scipy', 'matplotlib', 'h5py', 'numpy'}"
    assert run(f"import sys, trajstore.pipeline.cli.main; print({slow} & sys.modules.keys())") == "set()"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = trajstore.data.nothing


def test_reading_a_config_and_printing_need_no_torch():
    configs = str(Path(__file__).parents[2] / "configs")
    code = f"""
import sys
from pathlib import Path
import trajstore.pipeline.cli.printing
from trajstore.pipeline import load_config
for name in ("quick", "tutorial", "van-der-pol"):
    load_config({configs!r} + "/" + name + ".toml")
print('torch' in sys.modules)
"""
    assert run(code) == "False"
