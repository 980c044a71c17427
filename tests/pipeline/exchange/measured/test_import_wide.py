"""States of many components, as pictures have: as many as a shard may have, and no more."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import DataError, TrajectoryDataset, verify
from trajstore.data.shard.limits import MAX_COMPONENTS
from trajstore.pipeline import Columns, Import, import_files
from trajstore.pipeline.cli.main import main


def pictures(path, components: int) -> np.ndarray:
    states = np.random.default_rng(0).random((3, 4, components), dtype=np.float32)
    np.savez(path, state=states)
    return states


@pytest.mark.slow
@pytest.mark.parametrize("components", [784, MAX_COMPONENTS])
def test_pictures_are_stored_and_read_as_any_states(components, tmp_path):
    states = pictures(tmp_path / "a.npz", components)
    settings = Import(Columns(step=0.1), validation=0, test=0)
    import_files(tmp_path / "a.npz", tmp_path / "out", settings)
    assert verify(tmp_path / "out") == []
    found = TrajectoryDataset(tmp_path / "out", "train")
    assert len(found.components) == components
    np.testing.assert_array_equal(found.states(slice(None)).numpy(), states)


def test_more_components_are_refused_before_anything_is_written(tmp_path):
    pictures(tmp_path / "a.npz", MAX_COMPONENTS + 1)
    with pytest.raises(DataError, match=r"a.npz: has 10,001 components; at most 10,000 are stored"):
        import_files(tmp_path / "a.npz", tmp_path / "out", Import(Columns(step=0.1)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_many_names_are_told_by_some(tmp_path):
    pictures(tmp_path / "a.npz", 784)
    arguments = ["import", str(tmp_path / "a.npz"), "--step", "0.1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert len(result.output) < 1000
    assert "x40, ..." in result.output
    assert len(json.loads((tmp_path / "out/manifest.json").read_text())["components"]) == 784
