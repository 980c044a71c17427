"""Hugging Face `datasets` loads and streams a dataset's folder as it is, with the numbers that h5py reads."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from trajstore.pipeline import generate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The package, with a cache of its own, and cut off from the network."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HUB_OFFLINE", "1")
        patched.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        yield pytest.importorskip("datasets", reason="a step of its own in .ci/run")


KINDS = {
    "plain": {},
    "several shards": {"dataset": {"train": 70, "shard_rows": 30}},
    "failed rows": {
        "system": {"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [-1.0, 9.0]}}
    },
    "all kinds of variables": {
        "system": {"name": "mass-spring", "parameters": {}},
        "observation": {"components": ["q"], "noise": {"absolute": 0.25}, "clean": True, "derivative": True},
        "dataset": {"dtype": "float64", "diagnostics": ["energy_drift", "lyapunov_exponent"]},
    },
    "compressed": {"dataset": {"compression": "gzip"}},
    "lengths of their own": {"grid": {"splits": {"test": {"duration": 0.5}}}},
    "no validation": {"dataset": {"validation": 0}},
}


@pytest.fixture(scope="module", params=KINDS)
def folder(request, experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds") / "dataset"
    generate(experiment(**KINDS[request.param]), folder, jobs=1)
    return folder


def expected(folder, split):
    """Of each variable of the rows all values, by h5py."""
    paths = sorted(folder.glob(f"{split}-*.h5"))
    found = {}
    for path in paths:
        with h5py.File(path) as file:
            rows = len(file["trajectory"])
            for name, item in file.items():
                if name not in ("time", "component", "system_state"):
                    assert len(item) == rows
                    found.setdefault(name, []).append(item[()])
    return {name: np.concatenate(values) for name, values in found.items()}


def test_it_loads_the_folder_as_it_is(hub, folder):
    loaded = hub.load_dataset(str(folder))
    assert set(loaded) == {path.name.partition("-")[0] for path in folder.glob("*.h5")}
    for split, rows in loaded.items():
        told = expected(folder, split)
        assert set(rows.column_names) == set(told)
        for name, values in told.items():
            read = np.asarray(rows[name][:])
            assert read.shape == values.shape
            np.testing.assert_array_equal(read.astype(values.dtype), values)


def test_it_streams_the_folder_as_it_is(hub, folder):
    for split in hub.get_dataset_split_names(str(folder)):
        told = expected(folder, split)
        rows = list(hub.load_dataset(str(folder), split=split, streaming=True))
        assert len(rows) == len(told["trajectory"])
        for name, values in told.items():
            read = np.array([row[name] for row in rows]).astype(values.dtype)
            np.testing.assert_array_equal(read, values)


def test_the_python_of_the_docs_runs(hub, small_dataset, monkeypatch):
    text = (Path(__file__).parents[3] / "docs/reading.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(import datasets\n.*?)^```", text, flags=re.M | re.S)
    monkeypatch.chdir(small_dataset)
    found: dict[str, Any] = {}
    exec(block, found)
    told = expected(small_dataset, "train")
    for name, values in told.items():
        np.testing.assert_array_equal(found["row"][name], values[0])
    np.testing.assert_array_equal(found["state"], told["state"][0])
