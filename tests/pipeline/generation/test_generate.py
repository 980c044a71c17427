"""Generate: the same config gives the same dataset, however often it was interrupted and whoever did the work."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from trajstore.data import FormatError, TrajstoreError, load_manifest, read_shard, verify
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.pipeline import generate
from trajstore.pipeline.generation import shard_maker
from trajstore.pipeline.generation.local_workers import LocalWorkers
from trajstore.pipeline.runtime.lock import LOCK, locked

SCIPY = {"name": "scipy", "method": "RK45", "tolerance": 1e-6}


def bytes_of(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def by_h5py(folder, split, name="state"):
    parts = []
    for path in sorted(folder.glob(f"{split}-*.h5")):
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_dataset_is_its_shards_manifest_checksums_and_documents_and_nothing_else(small_dataset):
    names = {"train-00000.h5", "train-00001.h5", "train-00002.h5", "validation-00000.h5", "test-00000.h5"}
    assert {path.name for path in small_dataset.iterdir()} == names | {MANIFEST, CHECKSUMS, *DOCUMENTS}
    assert verify(small_dataset) == []


def test_the_summary_says_what_was_done(experiment, tmp_path):
    summary = generate(experiment(), tmp_path / "dataset")
    assert (summary.written, summary.reused, summary.rows) == (5, 0, 100)
    assert summary.manifest == load_manifest(tmp_path / "dataset")
    again = generate(experiment(), tmp_path / "dataset")
    assert (again.written, again.reused, again.rows) == (0, 5, 0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [{"name": "heyoka"}, SCIPY], ids=["threads", "processes"])
def test_the_bytes_do_not_depend_on_the_number_of_jobs(experiment, tmp_path, engine):
    config = experiment(engine=engine, dataset={"train": 50, "shard_rows": 16, "validation": 5, "test": 0})
    datasets = []
    for jobs in (1, 2):
        generate(config, tmp_path / str(jobs), jobs=jobs)
        assert verify(tmp_path / str(jobs)) == []
        datasets.append(bytes_of(tmp_path / str(jobs)))
    assert datasets[0] == datasets[1]


@pytest.mark.slow
def test_the_rows_do_not_depend_on_how_they_are_cut_into_shards(experiment, small_dataset, tmp_path):
    generate(experiment(dataset={"shard_rows": 9}), tmp_path / "cut")
    generate(experiment(dataset={"shard_rows": 1000}), tmp_path / "whole")
    assert len(list((tmp_path / "cut").glob("train-*.h5"))) == 8
    assert len(list((tmp_path / "whole").glob("train-*.h5"))) == 1
    for name in ("trajectory", "state", "initial_state", "mu", "status"):
        for split in ("train", "validation", "test"):
            expected = by_h5py(small_dataset, split, name)
            np.testing.assert_array_equal(by_h5py(tmp_path / "cut", split, name), expected, strict=True)
            np.testing.assert_array_equal(by_h5py(tmp_path / "whole", split, name), expected, strict=True)


def test_twice_as_many_rows_begin_with_the_rows(experiment, small_dataset, tmp_path):
    generate(experiment(dataset={"train": 140}), tmp_path / "more")
    states = by_h5py(tmp_path / "more", "train")
    assert len(states) == 140
    np.testing.assert_array_equal(states[:70], by_h5py(small_dataset, "train"))
    assert len(np.unique(states[:, 0], axis=0)) == 140


def test_splits_and_seeds_have_rows_of_their_own(experiment, small_dataset, tmp_path):
    generate(experiment(dataset={"seed": 1}), tmp_path / "seed")
    starts = [
        by_h5py(folder, split, "initial_state")
        for folder in (small_dataset, tmp_path / "seed")
        for split in ("train", "validation", "test")
    ]
    assert len(np.unique(np.concatenate(starts))) == 2 * 200


def test_states_are_those_of_another_integrator(small_dataset):
    starts, states = (by_h5py(small_dataset, "test", name) for name in ("initial_state", "state"))
    for start, state in zip(starts, states, strict=True):
        path = solve_ivp(
            lambda t, x: [x[1], 0.1 * (1 - x[0] ** 2) * x[1] - x[0]],
            (0, 2),
            start,
            method="DOP853",
            rtol=1e-12,
            atol=1e-12,
            t_eval=np.linspace(0, 2, 21),
        )
        np.testing.assert_allclose(state, path.y.T, rtol=1e-6, atol=1e-6)
    assert states.dtype == np.float32
    np.testing.assert_array_equal(states[:, 0], starts.astype(np.float32))


def test_linear_resampling_is_np_interp_over_solve_ivp(experiment, tmp_path):
    # The classic exercise, line by line as it is taught.
    engine = {
        "name": "scipy",
        "method": "RK45",
        "tolerance": 1e-3,
        "absolute_tolerance": 1e-6,
        "max_step": 0.1,
    }
    config = experiment(
        grid={"duration": 2.0, "step": 0.1, "resample": "linear"},
        engine=engine,
        dataset={"train": 12, "validation": 0, "test": 0, "dtype": "float64"},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    starts, states = (by_h5py(tmp_path / "dataset", "train", name) for name in ("initial_state", "state"))
    times = np.linspace(0, 2, 21)
    for start, state in zip(starts, states, strict=True):
        path = solve_ivp(
            lambda t, x: [x[1], 0.1 * (1 - x[0] ** 2) * x[1] - x[0]], (0, 2), start, max_step=0.1
        )
        expected = np.array([np.interp(times, path.t, values) for values in path.y]).T
        np.testing.assert_allclose(state, expected, rtol=1e-12, atol=1e-12)
    with h5py.File(tmp_path / "dataset" / "train-00000.h5") as file:
        assert file.attrs["resampling"] == "linear"


def test_a_second_call_touches_nothing(experiment, dataset_copy, contents):
    before = contents(dataset_copy)
    generate(experiment(), dataset_copy)
    assert contents(dataset_copy) == before


def damage_bytes(path, offset):
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 0xFF
    path.write_bytes(raw)


def damage_attribute(path):
    # Numbers, content hash and config are as they were; the equations that the file carries are not.
    with h5py.File(path, "r+") as file:
        file.attrs["system"] = file.attrs["system"].replace("x1**2", "x1**4")


DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "other states": lambda path: damage_bytes(path, path.read_bytes().index(b"\x00" * 64) + 2 * 4096 + 77),
    "other kind": lambda path: path.write_text("hello"),
    "other header": lambda path: damage_bytes(path, 9),
    "other equations": damage_attribute,
    "other shard": lambda path: shutil.copy(path.with_name("train-00000.h5"), path),
    "extra bytes": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train-00001.h5", "validation-00000.h5"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_alone_is_made_again_and_the_id_stays(
    experiment, dataset_copy, contents, damage, name
):
    before, kept = contents(dataset_copy), load_manifest(dataset_copy)
    DAMAGES[damage](dataset_copy / name)
    summary = generate(experiment(), dataset_copy)
    after = contents(dataset_copy)
    assert changed(before, after) == {name}
    assert (summary.written, summary.reused) == (1, 4)
    assert after[name][0] == before[name][0]
    assert summary.manifest == load_manifest(dataset_copy) == kept
    assert verify(dataset_copy) == []


@pytest.mark.parametrize("lost", [MANIFEST, CHECKSUMS, *DOCUMENTS])
def test_a_lost_manifest_or_document_is_written_again_from_the_shards(
    experiment, dataset_copy, contents, lost
):
    before = contents(dataset_copy)
    (dataset_copy / lost).unlink()
    assert generate(experiment(), dataset_copy).written == 0
    after = contents(dataset_copy)
    assert changed(before, after) == {lost}
    assert {name: raw for name, (raw, _) in after.items()} == {name: raw for name, (raw, _) in before.items()}


@pytest.mark.slow
def test_without_a_manifest_a_shard_that_carries_other_equations_is_made_again(experiment, dataset_copy):
    kept = bytes_of(dataset_copy)
    (dataset_copy / MANIFEST).unlink()
    damage_attribute(dataset_copy / "train-00001.h5")
    assert generate(experiment(), dataset_copy).written == 1
    assert bytes_of(dataset_copy) == kept


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": "trajstore", "format_version": 7}'])
def test_a_damaged_manifest_is_written_again_from_the_shards(experiment, dataset_copy, text):
    kept = load_manifest(dataset_copy)
    (dataset_copy / MANIFEST).write_text(text)
    assert generate(experiment(), dataset_copy).written == 0
    assert load_manifest(dataset_copy) == kept
    assert verify(dataset_copy) == []


@pytest.mark.parametrize("damage", ["edited", "emptied", "binary"])
def test_damaged_checksums_are_written_again(experiment, dataset_copy, damage):
    path = dataset_copy / CHECKSUMS
    right = path.read_bytes()
    path.write_bytes({"edited": right.replace(b"a", b"b"), "emptied": b"", "binary": b"\xff"}[damage])
    generate(experiment(), dataset_copy)
    assert path.read_bytes() == right


@pytest.mark.slow
def test_a_larger_train_split_keeps_the_shards_that_are_right(experiment, dataset_copy, contents, tmp_path):
    before = contents(dataset_copy)
    larger = experiment(dataset={"train": 140})
    summary = generate(larger, dataset_copy)
    kept = {"train-00000.h5", "train-00001.h5", "validation-00000.h5", "test-00000.h5"}
    after = contents(dataset_copy)
    assert {name for name in before if before[name] == after[name]} == kept
    assert summary.reused == 4
    assert verify(dataset_copy) == []
    generate(larger, tmp_path / "fresh")
    assert bytes_of(dataset_copy) == bytes_of(tmp_path / "fresh")


@pytest.mark.parametrize(
    "foreign", ["thesis.tex", "train-1.h5", "train-00000.hdf5", "exam-00000.h5", "folder", "x.part"]
)
def test_a_folder_with_anything_else_in_it_is_refused_and_left_alone(experiment, tmp_path, foreign):
    folder = tmp_path / "work"
    folder.mkdir()
    if foreign == "folder":
        (folder / foreign).mkdir()
        (folder / foreign / "file").write_text("precious")
    else:
        (folder / foreign).write_text("precious")
    with pytest.raises(TrajstoreError, match=f"{folder}.*{foreign}"):
        generate(experiment(), folder)
    assert [path.name for path in folder.iterdir()] == [foreign]
    if foreign != "folder":
        assert (folder / foreign).read_text() == "precious"


@pytest.mark.slow
def test_a_dataset_that_was_killed_while_it_grew_is_whole_or_none(experiment, dataset_copy, monkeypatch):
    # The last shard of train is replaced by a fuller one, which the old manifest knows nothing of.
    make = LocalWorkers.make

    def stop(*arguments):
        make(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalWorkers, "make", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(experiment(dataset={"train": 140}), dataset_copy)
    with pytest.raises(FormatError, match="interrupted"):
        verify(dataset_copy)
    monkeypatch.undo()
    assert generate(experiment(dataset={"train": 140}), dataset_copy).written == 0
    assert verify(dataset_copy) == []


@pytest.mark.parametrize("foreign", ["thesis.tex", "x.part"])
def test_overwrite_does_not_touch_files_of_others_either(experiment, dataset_copy, contents, foreign):
    (dataset_copy / foreign).write_text("precious")
    before = contents(dataset_copy)
    with pytest.raises(TrajstoreError, match=foreign):
        generate(experiment(dataset={"seed": 1}), dataset_copy, overwrite=True)
    assert contents(dataset_copy) == before


OTHER_CONFIGS = {
    "seed": {"dataset": {"seed": 1}},
    "equation": {"system": {"name": "van-der-pol", "parameters": {"mu": 0.2}}},
    "grid": {"grid": {"duration": 2.0, "points": 11}},
    "dtype": {"dataset": {"dtype": "float64"}},
    "shard size": {"dataset": {"shard_rows": 16}},
    "engine": {"engine": SCIPY},
    "fewer rows": {"dataset": {"train": 20}},
}


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"grid": {"duration": 2.0, "points": 11}}, r"grid\.points is 21 there, 11 here\)"),
        (
            {"system": {"name": "van-der-pol", "parameters": {"mu": {"values": [1.0]}}}},
            r"system\.parameters\.mu\.draw\.values is not given there, \[1\.0\] here; ",
        ),
        ({"engine": SCIPY}, r'engine\.name is "heyoka" there, "scipy" here'),
    ],
)
def test_the_keys_in_which_a_config_differs_are_told(experiment, small_dataset, sections, told):
    with pytest.raises(TrajstoreError, match=told) as refused:
        generate(experiment(**sections), small_dataset)
    assert "chooses another engine" not in str(refused.value)


def test_an_engine_that_is_chosen_otherwise_than_before_is_told(experiment, dataset_copy, monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.dynamics.engines.settings.find_spec", lambda _: None)
    with pytest.raises(TrajstoreError, match="this trajstore chooses another engine for these equations"):
        generate(experiment(), dataset_copy)


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHER_CONFIGS)
def test_the_dataset_of_another_config_is_refused_and_replaced_only_on_demand(
    experiment, dataset_copy, contents, case, tmp_path
):
    before = contents(dataset_copy)
    other = experiment(**OTHER_CONFIGS[case])
    with pytest.raises(TrajstoreError, match=r"(another config.* there, .* here|more rows).*--overwrite"):
        generate(other, dataset_copy, jobs=1)
    assert contents(dataset_copy) == before
    assert verify(dataset_copy) == []
    generate(other, dataset_copy, jobs=1, overwrite=True)
    assert verify(dataset_copy) == []
    generate(other, tmp_path / "fresh", jobs=1)
    assert bytes_of(dataset_copy) == bytes_of(tmp_path / "fresh")


def test_overwrite_of_the_same_config_makes_nothing_again(experiment, dataset_copy, contents):
    before = contents(dataset_copy)
    generate(experiment(), dataset_copy, overwrite=True)
    assert contents(dataset_copy) == before


@pytest.mark.parametrize("kind", ["file", "below a file", "name too long", "below /proc"])
def test_a_folder_that_cannot_be_is_refused_with_its_path(experiment, tmp_path, kind):
    (tmp_path / "file").write_text("precious")
    folder = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "dataset",
        "name too long": tmp_path / ("x" * 300),
        "below /proc": Path("/proc/trajstore/dataset"),
    }[kind]
    with pytest.raises(TrajstoreError) as caught:
        generate(experiment(), folder)
    assert str(folder) in str(caught.value)
    assert (tmp_path / "file").read_text() == "precious"


HOLDER = """
import sys, time
from pathlib import Path
from trajstore.pipeline.runtime.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_only_one_process_works_in_a_folder_and_the_other_is_told_which(experiment, tmp_path, contents):
    folder = tmp_path / "dataset"
    holder = forked.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        before = contents(folder)
        with pytest.raises(TrajstoreError, match=f"{folder}.*process {holder.pid} on "):
            generate(experiment(), folder)
        assert contents(folder) == before
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    # The lock of a dead process holds nobody up.
    generate(experiment(), folder)
    assert verify(folder) == []


def test_the_lock_is_gone_after_work_and_after_errors(tmp_path):
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


WORK = """
import sys
from pathlib import Path
from trajstore.pipeline import load_config
from trajstore.pipeline import generate
if __name__ == "__main__":
    generate(load_config(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
"""

CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 700
validation = 100
shard_rows = 100
[engine]
name = "scipy"
method = "RK45"
tolerance = 1e-6
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The config file of WORK, and the dataset that it gives when nobody interrupts."""
    from trajstore.pipeline import load_config

    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "config.toml").write_text(CONFIG)
    config = load_config(folder / "config.toml")
    generate(config, folder / "dataset", jobs=2)
    return config, folder / "config.toml", folder / "dataset"


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "sent"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)])
def test_a_run_that_is_killed_loses_nothing(uninterrupted, tmp_path, jobs, sent):
    config, path, whole = uninterrupted
    script, folder = tmp_path / "work.py", tmp_path / "dataset"
    script.write_text(WORK)
    command = [sys.executable, str(script), str(path), str(folder), str(jobs)]
    process = forked.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(list(folder.glob("*.h5"))) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(sent)
        assert process.wait(timeout=30) != 0
    finally:
        process.kill()
        process.wait()
    finished = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.h5")}
    assert 2 <= len(finished) < 8, "it was to be killed on the way"
    assert not (folder / MANIFEST).exists()
    if sent == signal.SIGINT:
        assert not list(folder.glob("*.part"))
    summary = generate(config, folder, jobs=2)
    assert summary.reused >= len(finished)
    for name, when in finished.items():
        assert (folder / name).stat().st_mtime_ns == when
    assert summary.manifest.id == load_manifest(whole).id
    assert {file.name for file in folder.iterdir()} == {file.name for file in whole.iterdir()}
    assert verify(folder) == []


def test_leftovers_of_a_killed_run_are_no_obstacle(experiment, dataset_copy, contents):
    before = contents(dataset_copy)
    (dataset_copy / "train-00001.h5.part").write_bytes(b"half")
    (dataset_copy / f"{MANIFEST}.part").write_bytes(b"half")
    (dataset_copy / LOCK).write_text("process 1 on a machine that was switched off")
    generate(experiment(), dataset_copy)
    assert contents(dataset_copy) == before


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_finished_shards_are_kept(experiment, tmp_path, monkeypatch):
    write_shard, written = shard_maker.write_shard, []

    def full(path, *arguments):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path.name)
        return write_shard(path, *arguments)

    monkeypatch.setattr(shard_maker, "write_shard", full)
    folder = tmp_path / "dataset"
    with pytest.raises(TrajstoreError, match=f"{folder}.*No space left.*again"):
        generate(experiment(), folder, jobs=1)
    assert sorted(path.name for path in folder.iterdir()) == sorted(written)
    monkeypatch.undo()
    assert generate(experiment(), folder, jobs=1).reused == 2
    assert verify(folder) == []


def test_the_manifest_is_written_after_the_last_shard(experiment, tmp_path, monkeypatch):
    make = LocalWorkers.make

    def stop(*arguments):
        make(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalWorkers, "make", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(experiment(), tmp_path / "dataset", jobs=1)
    assert {path.suffix for path in (tmp_path / "dataset").iterdir()} == {".h5"}
    assert len(list((tmp_path / "dataset").iterdir())) == 5


def test_failed_rows_stay_rows_and_are_counted(failing_dataset):
    manifest = load_manifest(failing_dataset)
    starts, status = (by_h5py(failing_dataset, "train", name) for name in ("initial_state", "status"))
    fails = starts[:, 0] >= 0.5
    assert manifest.splits["train"].trajectories == len(starts) == 40
    assert manifest.splits["train"].failed == fails.sum() > 0
    np.testing.assert_array_equal(status != 0, fails)
    states = by_h5py(failing_dataset, "train")
    assert np.isnan(states[fails]).all()
    assert np.isfinite(states[~fails]).all()
    np.testing.assert_array_equal(by_h5py(failing_dataset, "train", "trajectory"), np.arange(40))


def test_states_too_large_for_the_stored_type_are_failed_rows_and_no_infinities(experiment, tmp_path):
    # x(2) = x0 e^(100 * 2) is a fine float64 and no float32.
    system = {
        "name": "growth",
        "equations": {"x": "k*x"},
        "parameters": {"k": 100.0},
        "initial_state": {"x": [0.0, 1.0]},
    }
    generate(experiment(system=system, dataset={"train": 20}), tmp_path / "dataset", jobs=1)
    assert verify(tmp_path / "dataset") == []
    assert (by_h5py(tmp_path / "dataset", "train", "status") != 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["LSODA", "Radau", "BDF", "RK23"])
def test_what_any_method_makes_is_a_sound_dataset(experiment, tmp_path, method):
    config = experiment(
        engine={"name": "scipy", "method": method, "tolerance": 1e-6},
        dataset={"train": 12, "validation": 0, "test": 0, "dtype": "float64"},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    assert verify(tmp_path / "dataset") == []


@pytest.mark.slow
def test_a_system_of_ones_own_is_in_the_file_with_its_equations(experiment, tmp_path):
    system = {
        "name": "damped-oscillator",
        "equations": {"x": "v", "v": "-k*x - c*v"},
        "parameters": {"k": 1.0, "c": 0.1},
        "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
        "time_unit": "s",
    }
    generate(experiment(system=system), tmp_path / "dataset")
    shard = read_shard(tmp_path / "dataset" / "train-00000.h5")
    assert shard.components == ("x", "v")
    assert set(shard.parameters) == {"k", "c"}
    assert (shard.parameters["c"] == 0.1).all()
    assert shard.units["time"] == "s"
    assert '"-k*x - c*v"' in str(shard.attributes["system"])


@pytest.mark.slow
def test_no_clock_enters_the_files(experiment, small_dataset, tmp_path):
    time.sleep(1.1 - min(1.0, time.time() - (small_dataset / MANIFEST).stat().st_mtime))
    generate(experiment(), tmp_path / "dataset", jobs=2)
    assert bytes_of(tmp_path / "dataset") == bytes_of(small_dataset)
