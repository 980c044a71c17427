"""What docs/reading.md shows for programs of other people gives the numbers that h5py reads."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[1] / "docs/reading.md").read_text(encoding="utf-8")


def block(mark: str) -> str:
    """The one piece of Python in which a text stands."""
    (found,) = [
        piece for piece in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.M | re.S) if mark in piece
    ]
    return found


@pytest.fixture(params=["sound", "failing"])
def folder(request, small_dataset, failing_dataset, monkeypatch):
    folder = {"sound": small_dataset, "failing": failing_dataset}[request.param]
    monkeypatch.chdir(folder)
    return folder


def stored(folder: Path, name: str) -> np.ndarray:
    parts = []
    for path in sorted(folder.glob("train-*.h5")):
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


def test_batches_of_numpy_are_all_sound_rows_once_in_another_order(folder):
    found: dict[str, Any] = {}
    exec(block("def batches"), found)
    states = stored(folder, "state")[stored(folder, "status") == 0]
    seen = [np.concatenate(list(found["batches"]("train", 8, seed))) for seed in (0, 0, 1)]
    for rows in seen:
        order = np.lexsort(rows.reshape(len(rows), -1).T), np.lexsort(states.reshape(len(states), -1).T)
        np.testing.assert_array_equal(rows[order[0]], states[order[1]])
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_the_loop_of_jax_comes_to_the_map_of_least_squares(small_dataset):
    pytest.importorskip("jax", reason="a step of its own in .ci/run")
    # In a process of its own: JAX starts threads, after which no process may be forked without a warning.
    text = block("def batches") + block("jax.jit").replace("range(20)", "range(400)")
    shown = f"{text}\nimport json\nprint(json.dumps(np.asarray(slope).tolist()))"
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=small_dataset, capture_output=True, text=True, check=True
    )
    states = stored(small_dataset, "state").astype(np.float64)
    before, after = states[:, :-1].reshape(-1, 2), states[:, 1:].reshape(-1, 2)
    exact = np.linalg.lstsq(before, after, rcond=None)[0].T
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[-1]), exact, atol=1e-3)


def test_shards_open_as_one(folder):
    pytest.importorskip("dask", reason="a step of its own in .ci/run")
    found: dict[str, Any] = {}
    exec(block("open_mfdataset"), found)
    states = stored(folder, "state")
    assert found["train"].state.shape == states.shape
    sound = states[stored(folder, "status") == 0]
    np.testing.assert_allclose(found["spread"], sound.std((0, 1)), rtol=1e-4)
    found["train"].close()


def test_the_frame_has_a_line_a_trajectory(folder):
    pytest.importorskip("pandas")
    found: dict[str, Any] = {}
    exec(block("pd.DataFrame"), found)
    rows = found["rows"]
    np.testing.assert_array_equal(rows.index, stored(folder, "trajectory"))
    status, states = stored(folder, "status"), stored(folder, "state")
    np.testing.assert_array_equal(rows.status, status)
    assert len(found["sound"]) == (status == 0).sum()
    with h5py.File(next(folder.glob("train-*.h5"))) as file:
        names = file["component"].asstr()[:]
    for place, name in enumerate(names):
        np.testing.assert_array_equal(rows[f"{name}_first"], states[:, 0, place])
        np.testing.assert_array_equal(rows[f"{name}_last"], states[:, -1, place])
