"""Resampling of what is extreme: one message, or numbers that are the same in any unit; and grids that increase."""

import json
import warnings

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import verify
from trajstore.data.base.hashing import json_hash
from trajstore.data.folder.stated_grid import describe_grid
from trajstore.data.shard.schema import without_sizes
from trajstore.pipeline.cli.main import main

ALL_TO_TRAIN = ("--validation", 0, "--test", 0)
VALUES = np.random.default_rng(0).standard_normal(8)


def run(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


def table(folder, times, values):
    rows = "".join(f"{time!r},{value!r}\n" for time, value in zip(times, values, strict=True))
    (folder / "a.csv").write_text(f"time,x\n{rows}")
    return folder / "a.csv"


LARGE = ("1e16", "10000000000000002", "10000000000000004", "10000000000000006")
PLAIN = ("0", "1", "2", "3")
# Times, values, step, message.
EXTREME = {
    "times near 1e16": (LARGE, PLAIN, "0.5", "too small to tell times near"),
    "values that swing too far": (PLAIN, ("1e308", "-1.7e308", "1.7e308", "-1e308"), "0.5", "float64 holds"),
    "a step of almost nothing": (PLAIN, PLAIN, "1e-320", "expected at most"),
    "times apart by almost nothing": (("0", "1e-320", "1e300", "2e300"), PLAIN, "1e299", "times that are apart"),
}  # fmt: skip


@pytest.mark.parametrize("case", EXTREME)
def test_what_cannot_be_resampled_is_one_message(tmp_path, case):
    times, values, step, message = EXTREME[case]
    lines = "".join(f"{time},{value}\n" for time, value in zip(times, values, strict=True))
    (tmp_path / "a.csv").write_text(f"time,x\n{lines}")
    done = run("import", tmp_path / "a.csv", "--resample", step, "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert (done.exit_code, message in done.stderr, "a.csv: " in done.stderr) == (2, True, True), done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "size"), [(2.0**990, 1.0), (2.0**-990, 1.0), (1.0, 2.0**1020), (1.0, 2.0**-900)]
)
def test_a_grid_is_the_same_in_any_unit(tmp_path, unit, size):
    times = np.array([0.0, 1.0, 1.5, 2.5, 3.0, 4.5, 5.0, 6.0])
    states = []
    for name, time, value in (("plain", times, VALUES), ("scaled", times * unit, VALUES * size)):
        path = table(tmp_path, time.tolist(), value.tolist())
        step = (time[-1] - time[0]) / 16
        done = run("import", path, "--resample", repr(float(step)), "--out", tmp_path / name, *ALL_TO_TRAIN)
        assert done.exit_code == 0, done.output
        with h5py.File(tmp_path / name / "train-00000.h5") as file:
            states.append(file["state"][()])
    np.testing.assert_array_equal(states[1], states[0] * size)


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("option", ["--resample", "--step", "--validation", "--test"])
def test_options_are_finite_numbers(tmp_path, option, value):
    (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n")
    done = run("import", tmp_path / "a.csv", option, value, "--out", tmp_path / "out")
    assert (done.exit_code, f"Invalid value for '{option}'" in done.stderr) == (2, True), done.output


def test_a_step_that_overflows_is_one_message(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n2\n3\n")
    done = run("import", tmp_path / "a.csv", "--step", "1e308", "--out", tmp_path / "out")
    assert (done.exit_code, "do not increase: inf" in done.stderr) == (2, True), done.output


def test_times_that_another_unit_cannot_tell_apart_are_refused(tmp_path):
    for number, (unit, times) in enumerate(
        (("s since 1900-01-01", [0, 1, 2]), ("ns since 2000-01-01", [0, 1, 2]))
    ):
        with netCDF4.Dataset(tmp_path / f"{number}.nc", "w") as file:
            file.createDimension("time", 3)
            file.createVariable("x", "f8", ("time",))[:] = VALUES[number : number + 3]
            file.createVariable("time", "f8", ("time",))[:] = times
            file["time"].units = unit
    files = (tmp_path / "0.nc", tmp_path / "1.nc")
    done = run("import", *files, "--components", "x", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert (done.exit_code, "1.nc: times in ns since" in done.stderr) == (2, True), done.output


def test_verify_finds_times_that_do_not_increase(tmp_path):
    path = table(tmp_path, [0.0, 1.0, 2.0, 4.0], VALUES[:4].tolist())
    assert run("import", path, "--out", tmp_path / "out", *ALL_TO_TRAIN).exit_code == 0
    shard = tmp_path / "out" / "train-00000.h5"
    assert verify(shard) == []
    times = np.array([0.0, 1.0, 1.0, 4.0])
    with h5py.File(shard, "a") as file:
        # A shard that agrees with itself in all but that.
        file["time"][:] = times
        config = json.loads(file.attrs["config"])
        config["grid"] = describe_grid(times, 0.0, config["grid"]["resample"])
        file.attrs["config"] = json.dumps(config)
        file.attrs["config_hash"] = json_hash(without_sizes(config))
    assert "the times do not increase" in [finding.text for finding in verify(shard)]
