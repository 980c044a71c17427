"""Times of files: their units, and grids that are regular but for rounding, or made so."""

from fractions import Fraction

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from trajstore.data import load_manifest, verify
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.exchange.measured.regular import last_digits, regular, simplest

ALL_TO_TRAIN = ("--validation", 0, "--test", 0)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


def times_of(folder):
    with h5py.File(folder / "train-00000.h5") as file:
        return file["time"][()], file["time"].attrs["units"]


def series(path, times, unit=None, calendar=None, seed=0):
    states = np.random.default_rng(seed).standard_normal(len(times))
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", len(times))
        file.createVariable("x", "f8", ("time",))[:] = states
        time = file.createVariable("time", "f8", ("time",))
        time[:] = times
        if unit:
            time.units = unit
        if calendar:
            time.calendar = calendar
    return path


def test_files_in_different_units_become_one(tmp_path):
    a = series(tmp_path / "a.nc", [0.0, 1.0, 2.0], "s")
    b = series(tmp_path / "b.nc", [0.0, 1000.0, 2000.0], "milliseconds", seed=1)
    said = done("import", a, b, "--components", "x", "--out", tmp_path / "out", *ALL_TO_TRAIN)
    assert f"{b}: times in milliseconds were made s" in said
    times, unit = times_of(tmp_path / "out")
    assert (times.tolist(), unit) == ([0.0, 1.0, 2.0], "s")
    done("import", a, b, "--components", "x", "--out", tmp_path / "us", "--time-unit", "us", *ALL_TO_TRAIN)
    times, unit = times_of(tmp_path / "us")
    assert (times.tolist(), unit) == ([0.0, 1e6, 2e6], "us")
    assert verify(tmp_path / "us") == []


@pytest.mark.parametrize(
    ("units", "arguments", "message"),
    [
        (("s", None), [], "says nothing of the unit of its times"),
        (("s", "years"), [], "times are in years, expected s"),
        (("s", "seconds since 2000-01-01"), ["--time-unit", "furlongs"], "times are in s, expected furlongs"),
        (("days since 2000-01-01", "years since 2000-01-01"), [], "expected days since 2000-01-01"),
        (("days since 1400-01-01", "days since 1400-01-02"), [], "--time-unit days"),
    ],
)
def test_units_that_do_not_go_together_are_refused(tmp_path, units, arguments, message):
    files = [
        series(tmp_path / f"{place}.nc", [0.0, 1.0], unit, seed=place) for place, unit in enumerate(units)
    ]
    said = refused(
        "import", *files, "--components", "x", "--out", tmp_path / "out", *arguments, *ALL_TO_TRAIN
    )
    assert message in said


def test_dates_are_kept_and_compared(tmp_path):
    a = series(tmp_path / "a.nc", [0.0, 1.0, 2.0], "days since 2000-01-01")
    b = series(tmp_path / "b.nc", [0.0, 24.0, 48.0], "hours since 2000-01-01 00:00:00", seed=1)
    c = series(tmp_path / "c.nc", [0.0, 1.0, 2.0], "days since 2000-02-01T00:00:00Z", seed=2)
    done("import", a, b, "--components", "x", "--out", tmp_path / "same", *ALL_TO_TRAIN)
    times, unit = times_of(tmp_path / "same")
    assert (times.tolist(), unit) == ([0.0, 1.0, 2.0], "days since 2000-01-01")
    with xarray.open_dataset(tmp_path / "same/train-00000.h5", engine="h5netcdf") as shard:
        assert str(shard.time.values[1])[:10] == "2000-01-02"
    # Of other dates: times since the first sample of each, which no date goes with.
    done("import", a, c, "--components", "x", "--out", tmp_path / "other", *ALL_TO_TRAIN)
    assert times_of(tmp_path / "other")[1] == "days"


def test_a_calendar_that_a_dataset_cannot_say_is_refused(tmp_path):
    path = series(tmp_path / "a.nc", [0.0, 1.0], "days since 2000-01-01", calendar="360_day")
    arguments = ["import", path, "--components", "x", "--out", tmp_path / "out", *ALL_TO_TRAIN]
    assert "calendar 360_day" in refused(*arguments)
    done(*arguments, "--time-unit", "days")
    assert times_of(tmp_path / "out")[1] == "days"


def test_components_in_different_units_are_refused(tmp_path):
    for name, unit in (("a", "m"), ("b", "cm")):
        table = xarray.Dataset(
            {"x": (("time",), np.random.default_rng(len(unit)).standard_normal(3))}, {"time": [0.0, 1, 2]}
        )
        table.x.attrs["units"] = unit
        table.to_netcdf(tmp_path / f"{name}.nc")
    said = refused(
        "import", tmp_path / "a.nc", tmp_path / "b.nc", "--components", "x", "--out", tmp_path / "out"
    )
    assert "x is in cm, that of" in said


@pytest.mark.slow
@pytest.mark.parametrize(("form", "suffix"), [("csv", ".csv"), ("npz", ".npz"), ("netcdf", ".nc")])
def test_units_come_back_from_our_own_files(tmp_path, form, suffix):
    lines = "".join(f"{i},{k},{i + k * k},{i}\n" for i in range(3) for k in range(4))
    (tmp_path / "a.csv").write_text(f"trajectory,time [ms],x,k (N/m)\n{lines}")
    done(
        "import",
        tmp_path / "a.csv",
        "--parameters",
        "k",
        "--components",
        "x",
        "--out",
        tmp_path / "d",
        *ALL_TO_TRAIN,
    )
    done("export", tmp_path / "d", "--format", form, "--out", tmp_path / "n")
    path = tmp_path / f"n/train{suffix}"
    done("import", path, "--parameters", "k", "--out", tmp_path / "e", *ALL_TO_TRAIN)
    assert times_of(tmp_path / "e")[1] == "ms"
    assert load_manifest(tmp_path / "e").system["parameters"]["k"]["unit"] == "N/m"
    assert load_manifest(tmp_path / "e").system["time_unit"] == "ms"


def test_files_without_units_say_none_as_before(tmp_path):
    (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n")
    done("import", tmp_path / "a.csv", "--out", tmp_path / "d", *ALL_TO_TRAIN)
    done("export", tmp_path / "d", "--format", "npz", "--out", tmp_path / "n")
    assert times_of(tmp_path / "d")[1] == "1"
    with np.load(tmp_path / "n/train.npz") as arrays:
        assert "units" not in arrays.files


GRIDS = {
    "milliseconds at 30 a second": (lambda k: np.round(k / 30, 3), Fraction(1, 30)),
    "cut off, not rounded": (lambda k: np.floor(k / 30 * 1000) / 1000, Fraction(1, 30)),
    "whole milliseconds": (lambda k: np.round(k * 1000 / 30), Fraction(100, 3)),
    "single precision": (lambda k: (0.1 * k + 100).astype(np.float32).astype(np.float64), Fraction(1, 10)),
    "summed up": (lambda k: np.cumsum(np.full(len(k), 0.01)) + 1.7e9, Fraction(1, 100)),
    "hundredths at 24 a second": (lambda k: np.round(k / 24 + 7, 2), Fraction(1, 24)),
}  # fmt: skip


@pytest.mark.parametrize("case", GRIDS)
def test_rounded_times_are_regular(case):
    rounded, step = GRIDS[case]
    times = rounded(np.arange(60.0))
    digit = last_digits(times.astype(np.float32) if case == "single precision" else times)
    found = regular([times, times[7:] - times[7]], [digit, digit])
    assert found is not None
    assert found.step == step


def test_rounded_times_become_the_exact_grid(tmp_path):
    lines = "".join(f"{k / 30:.3f},{np.sin(k / 5):.6f}\n" for k in range(61))
    (tmp_path / "a.csv").write_text("time,x\n" + lines)
    said = done("import", tmp_path / "a.csv", "--length", 10, "--split-by", "time", "--out", tmp_path / "out")
    assert "times are regular, a step of 1/30" in said
    np.testing.assert_array_equal(times_of(tmp_path / "out")[0], np.arange(10) / 30)
    assert load_manifest(tmp_path / "out").config["derived"]["arguments"]["regular_step"] == "1/30"
    assert verify(tmp_path / "out") == []


def test_single_precision_of_a_file_is_its_precision(tmp_path):
    times = (0.1 * np.arange(61) + 1000).astype(np.float32)
    np.savez(tmp_path / "a.npz", state=np.sin(np.arange(61.0)), time=times)
    done("import", tmp_path / "a.npz", "--length", 7, "--split-by", "time", "--out", tmp_path / "out")
    np.testing.assert_array_equal(times_of(tmp_path / "out")[0], np.arange(7) / 10)


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 3), st.integers(5, 80))
def test_no_step_is_found_that_does_not_give_the_times(numerator, denominator, decimals, samples):
    step = numerator / denominator
    times = np.round(0.37 + step * np.arange(samples), decimals)
    found = regular([times], [last_digits(times)])
    if found is None:
        assert step < 4 * 10.0**-decimals
    else:
        at = times[0] + float(found.step) * np.arange(samples)
        assert np.abs(at - times).max() <= 1.01 * 10.0**-decimals
        assert found.step.denominator <= denominator


@settings(max_examples=50)
@given(st.integers(2, 30), st.integers(0, 3), st.floats(0.01, 100.0))
def test_a_sample_that_is_left_out_is_never_rounding(place, decimals, step):
    times = np.round(step * np.delete(np.arange(40), place), decimals)
    assume((np.diff(times) > 0).all())
    assert regular([times], [last_digits(times)]) is None


@pytest.mark.slow
@given(st.fractions(0, 50).filter(bool), st.fractions(0, 50).filter(bool))
def test_the_simplest_fraction(one, other):
    low, high = min(one, other), max(one, other)
    found = simplest(low, high)
    assert low <= found <= high
    for denominator in range(1, min(found.denominator, 60)):
        assert -(-low * denominator // 1) > high * denominator // 1


def irregular(path, count=200, gap=None):
    generator = np.random.default_rng(3)
    times = np.sort(generator.uniform(0.0, 10.0, (4, count)), axis=1)
    times[:, [0, -1]] = 0.0, 10.0
    states = np.stack([np.sin(times + np.arange(4)[:, None]), np.cos(times)], axis=2)
    if gap is not None:
        states[1, gap, 0] = np.nan
    np.savez(path, state=states, time=times)
    return times


def test_irregular_times_are_put_on_a_grid_by_cubics(tmp_path):
    irregular(tmp_path / "a.npz")
    assert "--resample" in refused("import", tmp_path / "a.npz", "--out", tmp_path / "no", *ALL_TO_TRAIN)
    done("import", tmp_path / "a.npz", "--out", tmp_path / "out", "--resample", 0.25, *ALL_TO_TRAIN)
    assert verify(tmp_path / "out") == []
    with h5py.File(tmp_path / "out/train-00000.h5") as file:
        times, state = file["time"][()], file["state"][()]
        assert file.attrs["resampling"] == "cubic"
    np.testing.assert_allclose(times, 0.25 * np.arange(41), rtol=0, atol=1e-14)
    for row in range(4):
        np.testing.assert_allclose(state[row, :, 0], np.sin(times + row), atol=2e-3)
        np.testing.assert_allclose(state[row, :, 1], np.cos(times), atol=2e-3)
    arguments = load_manifest(tmp_path / "out").config["derived"]["arguments"]
    assert arguments["resample"] == 0.25


def test_resampling_does_not_go_beyond_the_samples_or_over_gaps(tmp_path):
    irregular(tmp_path / "a.npz", gap=100)
    said = done("import", tmp_path / "a.npz", "--out", tmp_path / "out", "--resample", 3.0, *ALL_TO_TRAIN)
    assert "4 train" in said
    assert times_of(tmp_path / "out")[0].tolist() == [0.0, 3.0, 6.0, 9.0]
    done("import", tmp_path / "a.npz", "--out", tmp_path / "fine", "--resample", 0.01, *ALL_TO_TRAIN)
    with h5py.File(tmp_path / "fine/train-00000.h5") as file:
        assert file["status"][()].tolist() == [0, 4, 0, 0]
    assert "at most" in refused("import", tmp_path / "a.npz", "--out", tmp_path / "no", "--resample", 1e-12)
    np.savez(tmp_path / "b.npz", state=np.arange(3.0), time=np.arange(3.0))
    said = refused("import", tmp_path / "b.npz", "--out", tmp_path / "no", "--resample", 0.5)
    assert "needs at least 4" in said


def test_a_cubic_is_itself(tmp_path):
    times = np.array([0.0, 0.3, 1.0, 1.1, 2.5, 4.0])
    np.savez(tmp_path / "a.npz", state=times**3 - times, time=times)
    done("import", tmp_path / "a.npz", "--out", tmp_path / "out", "--resample", 0.5, *ALL_TO_TRAIN)
    with h5py.File(tmp_path / "out/train-00000.h5") as file:
        at = file["time"][()]
        np.testing.assert_allclose(file["state"][0, :, 0], at**3 - at, atol=1e-12)
    # Without the option nothing of it is stored.
    done("import", tmp_path / "a.npz", "--out", tmp_path / "plain", *ALL_TO_TRAIN)
    manifest = load_manifest(tmp_path / "plain")
    assert set(manifest.config["derived"]["arguments"]) == {"split_by"}
    assert manifest.config["grid"]["resample"] == "none"
