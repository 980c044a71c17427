"""Making, bringing, checking, describing and handing on datasets needs no torch, in child processes neither."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from trajstore.data.base.installing import install_torch

pytestmark = pytest.mark.slow

CONFIG = """[system]
name = "decay"
equations = { x = "-k*x" }
parameters = { k = { uniform = [1.0, 2.0] } }
initial_state = { x = [0.1, 1.0] }
[grid]
duration = 1.0
points = 5
[dataset]
train = 6
validation = 2
test = 2
"""
COMMANDS = (
    "generate c.toml --out made",
    "generate c.toml --out other --set dataset.seed=1 --backend loky --jobs 2",
    "import measured.npz --out imported --step 0.1 --validation 0.3 --test 0.3",
    "fetch made fetched",
    "verify fetched --reintegrate 2",
    "verify fetched --repair",
    "info fetched --json",
    "select fetched --out some --rows 0:2",
    "merge some other --out both",
    "export both --format npz --out npz",
    "export both --format csv --out csv",
    "export both --format netcdf --out netcdf",
    "plot both",
    "plot imported",
    "view both",
    "view imported/train-00000.h5 --out one.html",
    "init lorenz --out lorenz.toml",
    "systems van-der-pol",
    "systems lorenz --plot lorenz.png",
)  # fmt: skip
RUN = """
import json, sys
from trajstore.pipeline.cli.main import main
for command in json.loads(sys.argv[1]):
    main(command.split(), standalone_mode=False)
assert "torch" not in sys.modules
from trajstore.data import Manifest, examine, load_manifest, read_shard, verify
from trajstore.pipeline import export, generate, load_config, merge, reintegrate, select, verify
"""


def environment(folder: Path) -> dict[str, str]:
    """One in which `import torch` fails, for a process and its children."""
    (folder / "torch").mkdir()
    (folder / "torch/__init__.py").write_text("raise ModuleNotFoundError(name='torch')\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300
    )


def test_datasets_need_no_torch(tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG)
    states = np.random.default_rng(0).normal(size=(10, 5, 2))
    np.savez(tmp_path / "measured.npz", state=states)
    done = run(RUN, json.dumps(COMMANDS), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sound; " in done.stdout


def test_what_learns_says_that_torch_is_missing(tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG)
    code = "from trajstore.pipeline.__main__ import run\nrun()"
    done = run(code, "train", "c.toml", "--data", "made", "--out", "run", folder=tmp_path)
    said = f"trajstore: this needs torch, which is not installed: {install_torch()}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


FACES = """
import trajstore.data, trajstore.models, trajstore.pipeline
for face in (trajstore.data, trajstore.models, trajstore.pipeline):
    for name in face.__all__:
        try:
            getattr(face, name)
        except ImportError as error:
            assert str(error).startswith(f"{face.__name__}.{name} needs torch"), error
            print(name)
try:
    trajstore.models.make_model("lstm", None, None)
except ImportError as error:
    assert "model lstm needs torch" in str(error), error
"""


def test_in_python_what_needs_torch_says_so(tmp_path):
    done = run(FACES, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = set(done.stdout.split())
    assert {"TrajectoryDataset", "make_loader", "LSTM", "train", "evaluate", "load_trained"} <= told
    assert not {"load_manifest", "read_shard", "verify", "generate", "fetch", "select", "merge"} & told


def test_the_docs_list_what_is_needed_without_torch():
    root = Path(__file__).parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    text = (root / "docs/install.md").read_text()
    (listed,) = re.findall(r"^ +pip install (numpy .*)$", text, flags=re.M)
    wanted = {Requirement(requirement).name for requirement in project["dependencies"]}
    assert set(listed.split()) == wanted - {"torch"}
