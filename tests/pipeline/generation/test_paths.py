"""Paths may be text wherever the public functions take one."""

import pytest
from trajstore.data import DataError, TrajstoreError, load_manifest, read_shard, verify
from trajstore.pipeline import (
    Import,
    Selection,
    evaluate,
    export,
    fetch,
    generate,
    import_files,
    load_config,
    load_trained,
    merge,
    plot,
    reintegrate,
    repair,
    select,
    train,
)
from trajstore.pipeline.draw.dataset import plot_dataset
from trajstore.pipeline.runs.curve import read_curve
from trajstore.pipeline.runs.folder import RunConfig

pytestmark = pytest.mark.slow

CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 30
validation = 5
test = 5
[model]
hidden = 3
[training]
steps = 4
batch = 8
[evaluation]
rollouts = 2
rollout_lengths = 2
"""


def test_every_stage_takes_text_for_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    config = load_config("config.toml", ["training.steps=3"])
    manifest = generate(config, "data").manifest
    assert load_manifest("data").id == manifest.id
    assert len(read_shard("data/test-00000.h5").status) == 5
    assert verify("data") == []
    assert reintegrate("data", 2).rows == 2
    assert repair("data") == []
    train(config, "data", "run")
    learned, _ = load_trained("run")
    assert learned.components == RunConfig.load("run").components
    load_trained("run/best.pt")
    assert list(read_curve("run"))[-1]["step"] == 3
    assert evaluate("run", "data")["test"]["trajectories"] == 5
    assert all(path.is_file() for path in plot("run", out="figures"))
    assert all(path.is_file() for path in plot_dataset("data", "pictures"))
    assert fetch("data", "fetched").manifest.id == manifest.id
    select("data", "first", Selection(rows=(None, 3)))
    select("data", "rest", Selection(rows=(3, None)))
    assert merge(["first", "rest"], "both").splits["train"].trajectories == 30
    exported = export("data", "tables", "csv", ["test"])
    assert import_files(exported, "measured", Import(validation=0, test=0)).manifest.bytes > 0


@pytest.mark.parametrize(
    ("call", "listed"),
    [
        (lambda data, out: export(data, out, "xlsx"), "expected one of npz, csv, netcdf"),
        (lambda data, out: export(data, out, "csv", ["trian"]), "it has train, validation, test"),
        (lambda data, out: select(data, out, Selection(splits=["trian"])), "one of train, validation, test"),
        (
            lambda data, out: select(data, out, Selection(splits="train")),
            "expected a list of names, as in splits",
        ),
        (lambda data, out: select(data, out, Selection(status=["fine"])), "expected one of ok, "),
        (lambda data, out: import_files(["a.csv"], out, Import(by="times")), "one of trajectory, time"),
        (lambda data, out: import_files(["a.csv"], out, Import(dtype="float")), "one of float32, float64"),
    ],
)
def test_a_name_that_is_none_is_refused_and_those_that_are_are_listed(call, listed, small_dataset, tmp_path):
    with pytest.raises(DataError, match=listed):
        call(small_dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_generate_lists_its_backends(experiment, tmp_path):
    with pytest.raises(TrajstoreError, match="backend is 'threads'; expected one of threading, loky, dask"):
        generate(experiment(), tmp_path / "out", backend="threads")
    assert not (tmp_path / "out").exists()
