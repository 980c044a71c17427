"""A number in a file means one thing: what may mean two, or is none that float64 holds, is refused or told."""

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import DataError
from trajstore.pipeline import Columns
from trajstore.pipeline.exchange.measured.exact import as_floats
from trajstore.pipeline.exchange.measured.reading import read_measurements

WHOLE = 2**53


def column(tmp_path, cells, delimiter=";", **columns):
    """The numbers of a column, and what is remarked of them."""
    lines = [f"{number}{delimiter}{cell}\n" for number, cell in enumerate(cells)]
    (tmp_path / "a.csv").write_text(f"time{delimiter}x\n" + "".join(lines), encoding="utf-8")
    read = read_measurements(tmp_path / "a.csv", Columns(**columns))
    return read.trajectories[0].states[:, 0].tolist(), read.remarks


READ = {
    "decimal commas": (["1,5", "2,25"], [1.5, 2.25], "',' is taken for the decimal sign"),
    "one that is clear tells of the others": (["1,234", "0,5"], [1.234, 0.5], "','"),
    "none of a thousand begins with 0": (["0,234", "0,500"], [0.234, 0.5], "','"),
    "points": (["1.5", "2.25"], [1.5, 2.25], None),
    "points like thousands": (["1.234", "5.678"], [1.234, 5.678], "'.' is taken for the decimal sign"),
    "no sign": (["1", "-2"], [1.0, -2.0], None),
    "Fortran": (["1.0D+00", "-9.9d-01"], [1.0, -0.99], None),
    "Fortran without the letter": (["1.0+100", "0.25-101"], [1e100, 0.25e-101], None),
    "quadruple Fortran": (["1.5Q+02", ".5Q1"], [150.0, 5.0], None),
    "as C and NumPy write large ones": (
        [f"{1.2345678901234567e20:.18e}", "1.2345678901234568e+20", "1.7976931348623157e+308", "1e300"],
        [1.2345678901234567e20, 1.2345678901234568e20, 1.7976931348623157e308, 1e300],
        None,
    ),
    "a real number of many digits": (["9007199254740993.5"], [9007199254740994.0], None),
    "noughts": (["0", "-0.0", "0e5", "0.000D-400", "0e-999999999999"], [0.0] * 5, None),
    "small": (["2.2250738585072014e-308", "1e-320"], [2.2250738585072014e-308, 1e-320], None),
    "as C writes the smallest": (["4.9406564584124654e-324"], [5e-324], None),
    "large": ([str(WHOLE), str(WHOLE + 2), "6.02214076e23"], [WHOLE, WHOLE + 2, 6.02214076e23], None),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_numbers_that_mean_one_thing(tmp_path, case):
    cells, expected, remark = READ[case]
    found, remarks = column(tmp_path, cells)
    assert found == expected
    assert len(remarks) == (remark is not None)
    assert remark is None or remark in remarks[0]


REFUSED = {
    "a thousand or one": (["1,234", "5,678"], r"line 2: '1,234' may be 1.234 or 1234, .*--decimal ,"),
    "both signs in one": (["1.234,5"], "expected a number; if these are thousands"),
    "a space": (["1 234"], "expected a number; if these are thousands"),
    "a narrow space": (["1\u202f234"], "expected a number; if these are thousands"),
    "an apostrophe": (["1'234"], "expected a number; if these are thousands"),
    "two commas": (["1,234,567"], "expected a number; if these are thousands"),
    "two points": (["1.234.567"], "expected a number"),
    "two signs": (["1,5", "2.5"], "one sign for decimals"),
    "an underscore": (["1_000"], "expected a number"),
    "digits of India": (["\u0967\u0968"], "expected a number"),
    "a hexadecimal": (["0x10"], "expected a number"),
    "percent": (["5%"], "without the sign %"),
    "a minus of print": (["\u22125"], "expected a number"),
    "a date": (["2024-01-01"], "expected a number"),
    "a range": (["1-100"], "expected a number"),
    "too large": (["1e999"], "more than a number can hold"),
    "an integer between two": ([str(WHOLE + 1)], f"is {WHOLE + 1}, which no float64 is: it would become {WHOLE}"),
    "with a point": ([f"{WHOLE + 1}.0"], "which no float64 is"),
    "with an exponent": ([f"{WHOLE + 1}e0"], f"would become {WHOLE}"),
    "with an exponent and a point": (["9.007199254740993E15"], "which no float64 is"),
    "with an exponent of Fortran": (["9.007199254740993D15"], "which no float64 is"),
    "with an exponent below 0": ([f"{WHOLE + 1}00e-2"], "which no float64 is"),
    "too small": (["1e-400"], "too close to 0 for a number: it would become 0.0"),
    "too small without an exponent": (["0." + "0" * 330 + "1"], "too close to 0"),
    "too small by far": (["-1.0D-9999"], "too close to 0"),
    "so small that digits are lost": (["1.2345678e-320"], "too close to 0"),
    "between 0 and the smallest": (["3e-324"], "too close to 0 for a number: it would become 5e-324"),
    "negative": ([str(-WHOLE - 1)], "which no float64 is"),
}  # fmt: skip


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("case", REFUSED)
def test_numbers_that_mean_two_things_or_none(tmp_path, case, delimiter):
    cells, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        column(tmp_path, cells, delimiter)


@pytest.mark.parametrize("cell", ['"1,5"', '"1,234"'])
def test_a_comma_in_quotes_is_told_how_to_be_read(tmp_path, cell):
    with pytest.raises(
        DataError, match="expected a number; if its comma is the sign of decimals, say --decimal ,"
    ):
        column(tmp_path, [cell], ",")
    assert column(tmp_path, [cell], ",", decimal=",")[0] == [float(cell.strip('"').replace(",", "."))]


def test_the_user_says_the_decimal_sign(tmp_path):
    assert column(tmp_path, ["1,234", "5,678"], decimal=",") == ([1.234, 5.678], ())
    assert column(tmp_path, ["1.234"], decimal=".") == ([1.234], ())
    assert column(tmp_path, ['"1,5"'], ",", decimal=",") == ([1.5], ())
    for cells, decimal in ((["1.5"], ","), (["1,5"], ".")):
        with pytest.raises(DataError, match="expected a number"):
            column(tmp_path, cells, decimal=decimal)


@pytest.mark.parametrize("gap", [".", "#N/A", "None", "<NA>", "-inf", "Infinity", "-NaN"])
def test_words_for_a_missing_value(tmp_path, gap):
    found, _ = column(tmp_path, ["1", gap])
    assert found[0] == 1.0
    assert np.isnan(found[1])


@given(st.integers(-(2**63), 2**63 - 1) | st.integers(-54, 62).map(lambda k: WHOLE + k))
def test_an_integer_is_taken_where_a_float_is_equal(value):
    array = np.array([value], dtype=np.int64)
    if int(float(value)) == value and float(value) < 2.0**63:
        assert as_floats(array, "x")[0] == value
    else:
        with pytest.raises(DataError, match=f"x holds {value}, which no float64 is"):
            as_floats(array, "x")


@given(st.integers(0, 2**64 - 1))
def test_an_unsigned_integer_is_taken_where_a_float_is_equal(value):
    array = np.array([value], dtype=np.uint64)
    if int(float(value)) == value:
        assert int(as_floats(array, "x")[0]) == value
    else:
        with pytest.raises(DataError, match="which no float64 is"):
            as_floats(array, "x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([True, False]), "truth values"),
        (np.array([1j, 2]), "complex numbers"),
        (np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]"), "dates"),
        (np.array([1, 2], dtype="m8[s]"), "spans of time"),
        (np.array([np.longdouble(1) / 3, 1]), "which no float64 is"),
        (np.array([WHOLE + 1, 1]), "which no float64 is"),
    ],
)
def test_arrays_of_other_things_are_refused(tmp_path, values, message):
    np.savez(tmp_path / "a.npz", state=values)
    with pytest.raises(DataError, match=message):
        read_measurements(tmp_path / "a.npz", Columns(step=1.0))


def test_small_types_are_taken_as_they_are(tmp_path):
    for dtype in ("f2", "f4", "f8", ">f4", ">f8", "i1", "u2", ">i4", "i8", "u8"):
        values = np.array([1, 2, 3], dtype=dtype)
        np.savez(tmp_path / "a.npz", state=values)
        found = read_measurements(tmp_path / "a.npz", Columns(step=1.0)).trajectories[0].states
        assert found[:, 0].tolist() == [1.0, 2.0, 3.0]
    np.savez(tmp_path / "a.npz", state=np.array([1, 2], dtype=np.longdouble))
    assert read_measurements(tmp_path / "a.npz", Columns(step=1.0)).trajectories[0].states[1, 0] == 2.0


def test_a_long_double_is_told_with_all_its_digits():
    with pytest.raises(
        DataError, match=r"holds 1\.0000000000000000\d+, which no float64 is: it would become 1\.0\."
    ):
        as_floats(np.array([1.0, 1.0 + np.finfo(np.longdouble).eps], np.longdouble), "x")


def test_integers_of_hdf5_and_netcdf_are_held_to_the_same(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["state"] = np.array([1, WHOLE + 1])
    words = h5py.enum_dtype({"still": 0, "moving": 1}, basetype="i1")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("state", data=np.array([0, 1]), dtype=words)
    with netCDF4.Dataset(tmp_path / "c.nc", "w") as file:
        file.createDimension("time", 3)
        for name, values in (("bad", [1, WHOLE + 1, 3]), ("gap", [1, -(2**63) + 2, 3])):
            file.createVariable(name, "i8", ("time",))[:] = values
    for name, columns, message in (
        ("a.h5", {}, "a.h5: state holds 9007199254740993, which no float64 is"),
        ("b.h5", {}, "b.h5: state holds words for categories"),
        ("c.nc", {"components": {"x": "bad"}}, "c.nc: bad holds 9007199254740993, which no float64 is"),
    ):
        with pytest.raises(DataError, match=message):
            read_measurements(tmp_path / name, Columns(step=1.0, **columns))
    # The library's own fill value for integers is none that float64 holds, and no number either.
    read = read_measurements(tmp_path / "c.nc", Columns(step=1.0, components={"x": "gap"}))
    np.testing.assert_array_equal(read.trajectories[0].states[:, 0], [1.0, np.nan, 3.0])
