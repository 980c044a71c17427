"""Threads or processes of this machine: the same bytes; and what goes with a cluster is refused without one."""

import sys

import pytest
from click.testing import CliRunner
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.generation import cluster

pytestmark = pytest.mark.slow


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "engine",
    [{}, {"name": "scipy"}, {"name": "scipy", "method": "LSODA", "tolerance": 1e-9}],
    ids=["heyoka", "scipy", "lsoda"],
)
def test_threads_and_processes_make_the_same_bytes(experiment, tmp_path, engine):
    # Some rows meet a pole: what SciPy warns of there is caught by filters that all threads share.
    system = {
        "name": "pole",
        "equations": {"x": "x**2"},
        "parameters": {},
        "initial_state": {"x": [-1.0, 1.0]},
    }
    config = experiment(
        system=system, engine=engine, dataset={"train": 24, "validation": 8, "test": 8, "shard_rows": 4}
    )
    for backend in ("threading", "loky"):
        generate(config, tmp_path / backend, jobs=2, backend=backend)
    assert bytes_of(tmp_path / "threading") == bytes_of(tmp_path / "loky")


def refusal(folder, *options):
    result = CliRunner().invoke(main, ["generate", "configs/quick.toml", "--out", str(folder), *options])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not folder.exists()
    return result.stderr


@pytest.mark.parametrize("backend", [(), ("--backend", "loky"), ("--backend", "threading")])
def test_a_scheduler_goes_with_dask_alone(tmp_path, backend):
    message = refusal(tmp_path / "dataset", *backend, "--scheduler", "tcp://127.0.0.1:8786")
    assert "--scheduler is for --backend dask" in message


def test_dask_needs_a_scheduler(tmp_path):
    message = refusal(tmp_path / "dataset", "--backend", "dask")
    assert "--backend dask needs --scheduler" in message
    assert "tcp://HOST:8786" in message


@pytest.mark.parametrize("address", ["nowhere", "tcp://nowhere", "http://127.0.0.1:8786"])
def test_what_is_no_address_is_told(tmp_path, address):
    message = refusal(tmp_path / "dataset", "--backend", "dask", "--scheduler", address)
    assert f"--scheduler {address}: is no address" in message


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    cluster._distributed.cache_clear()
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = refusal(tmp_path / "dataset", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:8786")
    assert "pip install 'distributed>=" in message
