"""What the tests share: small datasets, shards made by hand, a clock that ends what hangs."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Workers, and the processes that they start, share the cores. The libraries look when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import forked
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from trajstore.data import Manifest, Shard, load_manifest, read_shard, write_shard
from trajstore.data.base.hashing import canonical_json, json_hash
from trajstore.data.folder import manifest as manifest_module
from trajstore.data.folder import manifest_parts as parts_module
from trajstore.data.folder.names import MANIFEST
from trajstore.data.integrity import child_reader
from trajstore.data.integrity.child_reader import COMMAND
from trajstore.data.shard.shard import inspect_shard
from trajstore.pipeline import Experiment, check_config, generate, load_config
from trajstore.pipeline.judge import rolled_out

# Its `server` and what goes with it.
pytest_plugins = ["fetch_server"]

# A shell that runs the tests in the background lets them ignore Ctrl-C, and the programs that they start as well.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# It takes pytest seconds to rewrite the assertions of all tests: once, whether Python is to keep bytecode or not.
sys.dont_write_bytecode = False
# All libraries that are loaded here stay: they are searched for garbage once where they were ten times.
gc.set_threshold(*gc.get_threshold()[:2], 10 * gc.get_threshold()[2])

# The same examples in every run; no deadline, for the cores are shared.
settings.register_profile(
    "trajstore",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("trajstore")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """In the tests' own processes: what is written there is read there, and a kill takes none of it.

    Only a loss of power needs it on the disk, and thousands of files waited for that. The programs that tests start
    wait as ever; in which order files are synced and renamed, tests/data/base/test_files.py watches.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_readers() -> Iterator[None]:
    """Children that read files, where this process starts them, are forked: they import nothing first."""

    def start(command: Any, **options: Any) -> Any:
        made = forked.Popen if command is COMMAND else subprocess.Popen
        return made(command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_reader, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": start}))
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_streamlines() -> Iterator[None]:
    """They take a quarter of the time of a figure, and fewer show the same."""
    from matplotlib.axes import Axes

    plain = Axes.streamplot
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Axes, "streamplot", lambda *args, **options: plain(*args, **{**options, "density": 0.4})
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _cycles_are_found_once() -> Iterator[None]:
    """The search for a limit cycle takes a third of an evaluation, and finds the same where its arguments are."""
    plain, found = rolled_out.cycle_of, {}

    def remembered(truth: Any, group: Any, times: np.ndarray) -> Any:
        told = (group.starts, group.parameters, times)
        values = [None if each is None else (each.shape, each.tobytes()) for each in told]
        key = (canonical_json(truth.system.to_dict()), *values, *truth.observed)
        if key not in found:
            found[key] = plain(truth, group, times)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolled_out, "cycle_of", remembered)
        yield


@pytest.fixture
def real_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that read files are started as ever."""
    monkeypatch.setattr(child_reader, "subprocess", subprocess)


class TooSlowError(BaseException):
    """Not an Exception, so that nothing under test can catch it."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def time_limit() -> Callable[[float], Any]:
    """`with time_limit(5): ...` fails where the block takes longer."""
    return _time_limit


DEFAULTS: dict[str, dict[str, Any]] = {
    "system": {"name": "van-der-pol", "parameters": {"mu": 0.1}},
    "grid": {"duration": 2.0, "step": 0.1},
    "dataset": {"train": 70, "validation": 20, "test": 10, "shard_rows": 32},
}


def _experiment(**sections: dict[str, Any]) -> Experiment:
    raw = {name: {**DEFAULTS.get(name, {}), **sections.get(name, {})} for name in {**DEFAULTS, **sections}}
    if "equations" in raw["system"]:
        raw["system"] = sections["system"]
    if "points" in raw["grid"]:
        raw["grid"].pop("step", None)
    return check_config(raw, "test")


@pytest.fixture(scope="session")
def experiment() -> Callable[..., Experiment]:
    """`experiment(dataset={"train": 5})` is an Experiment: DEFAULTS, changed by these sections."""
    return _experiment


@pytest.fixture
def loader_of(tmp_path: Path) -> Callable[[str], Callable[..., Experiment]]:
    """`loader_of(text)(*overrides)` is the Experiment of a config file with that text."""

    def loader(text: str) -> Callable[..., Experiment]:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return lambda *overrides: load_config(path, overrides)

    return loader


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """van der Pol: 70 + 20 + 10 rows, train in three shards. Not to be changed; see `dataset_copy`."""
    folder = tmp_path_factory.mktemp("small") / "dataset"
    generate(_experiment(), folder, jobs=1)
    return folder


@pytest.fixture
def dataset_copy(small_dataset: Path, tmp_path: Path) -> Path:
    """A copy of `small_dataset` that a test may damage."""
    return Path(shutil.copytree(small_dataset, tmp_path / "dataset"))


BLOW_UP = {
    "name": "blow-up",
    "equations": {"x": "x**2"},
    "parameters": {},
    "initial_state": {"x": [-1.0, 1.0]},
}


@pytest.fixture(scope="session")
def failing_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x' = x**2 over [0, 2]: rows that start above 1/2 diverge. 40 + 12 + 0 rows in shards of 16."""
    folder = tmp_path_factory.mktemp("failing") / "dataset"
    dataset = {"train": 40, "validation": 12, "test": 0, "shard_rows": 16, "dtype": "float64"}
    generate(_experiment(system=BLOW_UP, dataset=dataset), folder, jobs=1)
    return folder


def _make_shard(
    rows: int = 100,
    samples: int = 21,
    components: tuple[str, ...] = ("x1", "x2"),
    dtype: str = "float32",
    *,
    failed: tuple[int, ...] = (),
    first_row: int = 0,
    split: str = "train",
    seed: int = 0,
    sizes: dict[str, int] | None = None,
    units: str = "1",
) -> Shard:
    """A shard of random numbers that `verify` finds no fault with."""
    generator = np.random.default_rng([seed, first_row])
    state = generator.standard_normal((rows, samples, len(components))).astype(dtype)
    starts = state[:, 0].astype(np.float64)
    status = np.zeros(rows, dtype=np.int8)
    status[list(failed)] = 1
    state[list(failed)] = np.nan
    config = {
        "system": {"name": "noise"},
        "grid": {"duration": 2.0, "points": samples, "resample": "dense"},
        "dataset": {"seed": seed, "dtype": dtype},
        "engine": {"name": "none"},
    }
    return Shard(
        state=state,
        time=np.linspace(0.0, 2.0, samples),
        components=components,
        trajectory=np.arange(first_row, first_row + rows),
        initial_state=starts,
        parameters={"mu": np.full(rows, 0.1)},
        status=status,
        attributes={
            "title": "noise",
            "license": "CC0-1.0",
            "creator": "tests",
            "system_name": "noise",
            "system": canonical_json(config["system"]),
            "engine": canonical_json(config["engine"]),
            "resampling": "dense",
            "seed": seed,
            "split": split,
            "first_row": first_row,
            "config": canonical_json(config),
            "config_hash": json_hash(config),
            "software": "{}",
        },
        units={"time": units, "mu": "1"},
    )


@pytest.fixture(scope="session")
def make_shard() -> Callable[..., Shard]:
    """`make_shard(rows, samples, components, dtype, ...)` is a sound Shard of seeded noise, in memory."""
    return _make_shard


def _write_dataset(folder: Path, shards: dict[str, list[Shard]], compression: str | None = None) -> Path:
    """A dataset folder of shards made by hand, with a manifest that fits."""
    folder.mkdir(parents=True, exist_ok=True)
    records = {}
    for split in ("train", "validation", "test"):
        records[split] = [
            write_shard(folder / f"{split}-{index:05d}.h5", shard, compression)
            for index, shard in enumerate(shards.get(split, []))
        ]
    recipe = json.loads(str(next(iter(shards.values()))[0].attributes["config"]))
    sizes = {split: sum(record.rows for record in found) for split, found in records.items()}
    config = {**recipe, "dataset": {**recipe["dataset"], **sizes}}
    components = list(next(iter(shards.values()))[0].components)
    Manifest.of(config, config["system"], components, records).save(folder)
    return folder


@pytest.fixture(scope="session")
def write_dataset() -> Callable[..., Path]:
    """`write_dataset(folder, {"train": [shard, ...]})` writes shards and the manifest that fits them."""
    return _write_dataset


def _forge(folder: Path, file: str, **changes: Any) -> None:
    """Change one shard through the shard writer, and make every hash right again.

    `changes` are fields of Shard; `attributes` are merged into those that are there.
    """
    shard = read_shard(folder / file)
    if "attributes" in changes:
        changes["attributes"] = {**shard.attributes, **changes["attributes"]}
    manifest = load_manifest(folder)
    write_shard(folder / file, replace(shard, **changes))
    records = {
        split: [inspect_shard(folder / record.file)[0] for record in kept.shards]
        for split, kept in manifest.splits.items()
    }
    (folder / MANIFEST).unlink()
    Manifest.of(manifest.config, manifest.system, manifest.components, records).save(folder)


@pytest.fixture(scope="session")
def forge() -> Callable[..., None]:
    """`forge(folder, "train-00000.h5", state=...)` alters a shard so that every hash is right."""
    return _forge


@pytest.fixture(scope="session")
def made_before() -> Callable[[Path], None]:
    """`made_before(folder)`: shards state no revision, as before there were any, with all hashes right."""

    def rewrite(folder: Path) -> None:
        for path in sorted(folder.glob("*.h5")):
            engine = json.loads(str(read_shard(path).attributes["engine"]))
            del engine["revision"]
            _forge(folder, path.name, attributes={"engine": canonical_json(engine)})

    return rewrite


def _contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file of a folder."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, tuple[bytes, int]]]:
    """`contents(folder)`: name -> (bytes, mtime), to see that nothing was touched."""
    return _contents


@pytest.fixture
def small_parts() -> Iterator[None]:
    """Parts of a manifest hold 10 records; more than 20 shards need them."""
    with _small_parts():
        yield


@contextmanager
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "MOST", 10)
        patch.setattr(manifest_module, "needs_parts", lambda shards, components: shards > 20)
        yield


@pytest.fixture(scope="session")
def shards_of_one_row(experiment: Callable[..., Experiment]) -> Callable[[int], Experiment]:
    """A config of so many shards of train, 11 of validation, and one of test."""

    def config(train: int) -> Experiment:
        dataset = {"train": train, "validation": 11, "test": 1, "shard_rows": 1}
        return experiment(grid={"duration": 0.2, "points": 3}, dataset=dataset)

    return config


@pytest.fixture(scope="session")
def parts_dataset(
    shards_of_one_row: Callable[[int], Experiment], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A dataset of 22, 11 and 1 shards, its manifest in parts of 10; not to be changed."""
    folder = tmp_path_factory.mktemp("parts") / "dataset"
    with _small_parts():
        generate(shards_of_one_row(22), folder)
    return folder


@pytest.fixture
def parted(parts_dataset: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(parts_dataset, tmp_path / "dataset")
