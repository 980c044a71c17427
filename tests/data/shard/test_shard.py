"""A shard: what goes in comes out, in every program that reads HDF5, and nothing else passes for one."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import FormatError, Status, TrajectoryDataset, read_shard, write_shard
from trajstore.data.shard import shard as shard_module
from trajstore.data.shard.schema import ATTRIBUTES, STATUS_MEANINGS, VARIABLES

VARIABLE_NAMES = {"trajectory", "time", "component", "state", "initial_state", "status", "mu"}


def assert_equal(left, right):
    assert left.components == right.components
    assert left.units == right.units
    for name, values in left.variables.items():
        if name != "component":
            np.testing.assert_array_equal(values, right.variables[name], strict=True)


@pytest.mark.slow
@given(
    rows=st.integers(1, 40),
    samples=st.integers(1, 12),
    components=st.integers(1, 5),
    dtype=st.sampled_from(["float32", "float64"]),
    compression=st.sampled_from([None, "gzip"]),
    data=st.data(),
)
def test_a_shard_reads_back_as_it_was_written(
    tmp_path_factory, make_shard, rows, samples, components, dtype, compression, data
):
    failed = tuple(data.draw(st.sets(st.integers(0, rows - 1))))
    names = tuple(f"x{index}" for index in range(components))
    shard = make_shard(rows, samples, names, dtype, failed=failed, first_row=data.draw(st.integers(0, 2**40)))
    path = tmp_path_factory.mktemp("shard") / "train-00000.h5"
    record = write_shard(path, shard, compression)
    again = read_shard(path)
    assert_equal(shard, again)
    for name, value in shard.attributes.items():
        assert again.attributes[name] == value
    assert again.attributes["content_hash"] == record.content_hash
    assert (record.rows, record.failed, record.bytes) == (rows, len(failed), path.stat().st_size)


@pytest.mark.slow
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_same_input_gives_the_same_bytes_at_another_time(tmp_path, make_shard, compression):
    first = write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
    time.sleep(1.1)  # HDF5 keeps times, where it keeps them, in whole seconds.
    second = write_shard(tmp_path / "train-00001.h5", make_shard(), compression)
    assert (tmp_path / "train-00000.h5").read_bytes() == (tmp_path / "train-00001.h5").read_bytes()
    assert first.sha256 == second.sha256


def test_the_states_lie_in_the_file_as_they_are_on_a_page_of_their_own(tmp_path, make_shard):
    shard = make_shard()
    write_shard(tmp_path / "train-00000.h5", shard)
    with h5py.File(tmp_path / "train-00000.h5") as file:
        dataset = file["state"]
        offset = dataset.id.get_offset()
        assert dataset.chunks is None
        assert dataset.compression is None
    assert offset % 4096 == 0
    raw = (tmp_path / "train-00000.h5").read_bytes()
    assert raw[offset : offset + shard.state.nbytes] == shard.state.astype("<f4").tobytes()


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_a_shard_unmodified(tmp_path, make_shard, engine, compression):
    shard = make_shard(failed=(3,), first_row=1000)
    path = tmp_path / "train-00000.h5"
    write_shard(path, shard, compression)
    before = path.read_bytes()
    with xarray.open_dataset(path, engine=engine) as data:
        assert data["state"].dims == ("trajectory", "time", "component")
        assert data["initial_state"].dims == ("trajectory", "component")
        assert data["mu"].dims == data["status"].dims == ("trajectory",)
        assert dict(data.sizes) == {"trajectory": 100, "time": 21, "component": 2}
        assert set(data.variables) == VARIABLE_NAMES
        assert set(data.coords) == {"trajectory", "time", "component"}
        for name, values in shard.variables.items():
            np.testing.assert_array_equal(data[name].values, np.asarray(values))
        assert data["state"].dtype == np.float32
        x2 = data["state"].sel(component="x2", trajectory=1007)
        np.testing.assert_array_equal(x2.values, shard.state[7, :, 1])
        assert data.attrs["format"] == "trajstore"
        assert data["status"].attrs["flag_meanings"] == STATUS_MEANINGS
        assert list(data["status"].attrs["flag_values"]) == [status.value for status in Status]
    assert path.read_bytes() == before


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("units", ["s", "seconds", "days"])
def test_times_with_units_stay_numbers_in_xarray(tmp_path, make_shard, engine, units):
    shard = make_shard(units=units)
    write_shard(tmp_path / "train-00000.h5", shard)
    with xarray.open_dataset(tmp_path / "train-00000.h5", engine=engine) as data:
        np.testing.assert_array_equal(data["time"].values, shard.time)


def test_ncdump_shows_the_dimensions(tmp_path, make_shard):
    write_shard(tmp_path / "train-00000.h5", make_shard())
    done = subprocess.run(
        ["ncdump", "-h", str(tmp_path / "train-00000.h5")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in ("trajectory = 100 ;", "time = 21 ;", "component = 2 ;"):
        assert line in lines
    assert "float state(trajectory, time, component) ;" in lines
    assert "string component(component) ;" in lines
    assert "double initial_state(trajectory, component) ;" in lines
    assert "byte status(trajectory) ;" in lines


def test_h5dump_shows_the_dimensions(tmp_path, make_shard):
    write_shard(tmp_path / "train-00000.h5", make_shard())
    done = subprocess.run(
        ["h5dump", "-H", str(tmp_path / "train-00000.h5")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for name in VARIABLE_NAMES:
        assert f'DATASET "{name}"' in done.stdout
    assert "DATASPACE  SIMPLE { ( 100, 21, 2 ) / ( 100, 21, 2 ) }" in done.stdout


def test_gzip_shards_are_chunked_by_whole_trajectories_and_read_equal(tmp_path, make_shard):
    shard = make_shard(rows=5000)
    write_shard(tmp_path / "train-00000.h5", shard)
    write_shard(tmp_path / "train-00001.h5", shard, "gzip")
    assert_equal(read_shard(tmp_path / "train-00000.h5"), read_shard(tmp_path / "train-00001.h5"))
    with h5py.File(tmp_path / "train-00001.h5") as file:
        assert file["state"].compression == "gzip"
        assert file["state"].chunks[1:] == (21, 2)
        assert 2**18 <= np.prod(file["state"].chunks) * 4 <= 2**20


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_only_plain_numbers_and_strings_are_stored(tmp_path, make_shard, compression):
    write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
    with h5py.File(tmp_path / "train-00000.h5") as file:
        values = {f"/{name}": dataset for name, dataset in file.items()}
        assert set(values) == {f"/{name}" for name in VARIABLE_NAMES}
        for name, dataset in file.items():
            # What HDF5's dimension scales keep for themselves is theirs.
            own = set(dataset.attrs) - {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"}
            values |= {f"{name}.{key}": dataset.attrs.get_id(key) for key in own}
        values |= {key: file.attrs.get_id(key) for key in file.attrs}
        for name, value in values.items():
            kind = value.dtype
            text = h5py.check_string_dtype(kind)
            assert text is not None or kind.name in {"int8", "int64", "float32", "float64"}, name
            assert kind.names is None, name
            assert h5py.check_enum_dtype(kind) is None, name
            assert text is None or text.encoding == "utf-8" or name.startswith("/"), name


def test_every_documented_attribute_is_in_the_file(tmp_path, make_shard):
    write_shard(tmp_path / "train-00000.h5", make_shard())
    with h5py.File(tmp_path / "train-00000.h5") as file:
        assert set(file.attrs) - {"_NCProperties"} == set(ATTRIBUTES)
        for name, attribute in ATTRIBUTES.items():
            assert isinstance(file.attrs[name], str if attribute.kind is str else np.int64), name


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_truncated_shard_is_refused_whatever_its_length(tmp_path, make_shard, compression):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(), compression)
    whole = path.read_bytes()
    lengths = {0, 1, 7, 8, 100, 511, 512, 2048, 4096, 8192, len(whole) // 2, len(whole) - 4096}
    for length in sorted({*lengths, len(whole) - 512, len(whole) - 1}):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"train-00000\.h5"):
            read_shard(path)
        with pytest.raises(FormatError, match=r"train-00000\.h5"):
            TrajectoryDataset(path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, make_shard):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard())
    before = path.read_bytes()
    shard = make_shard(seed=1)
    attributes = dict(shard.attributes)
    del attributes["license"]
    with pytest.raises(KeyError):
        write_shard(path, replace(shard, attributes=attributes))
    assert [path.name for path in tmp_path.iterdir()] == ["train-00000.h5"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_disk_that_stores_other_numbers_is_noticed(tmp_path, make_shard, monkeypatch, compression):
    write_attributes = shard_module.write_attributes

    def bad_disk(file, attributes):
        write_attributes(file, attributes)
        file["state"][5, 3, 1] += 1

    monkeypatch.setattr(shard_module, "write_attributes", bad_disk)
    with pytest.raises(FormatError, match="read back"):
        write_shard(tmp_path / "train-00000.h5", make_shard(), compression)
    assert not list(tmp_path.iterdir())


def damage(path: Path, change) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def _replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def _attribute(name, value):
    def change(file):
        file.attrs[name] = value

    return change


COMPOUND = np.zeros((100, 21, 2), dtype=[("re", "f4"), ("im", "f4")])

DEPARTURES = {
    "no format": (lambda file: file.attrs.__delitem__("format"), "format"),
    "other format": (_attribute("format", "well"), "well"),
    "newer version": (_attribute("format_version", 2), "version 2.*upgrade"),
    "version as text": (_attribute("format_version", "1"), "version"),
    "attribute missing": (lambda file: file.attrs.__delitem__("seed"), "seed"),
    "attribute of a wrong type": (_attribute("seed", "zero"), "seed"),
    "no states": (lambda file: file.__delitem__("state"), "'state' is missing"),
    "states are a group": (
        lambda file: (file.__delitem__("state"), file.create_group("state")),
        "'state' is missing",
    ),
    "integer states": (_replace("state", np.zeros((100, 21, 2), dtype=np.int32)), "'state'.*int32"),
    "half precision": (_replace("state", np.zeros((100, 21, 2), dtype=np.float16)), "'state'.*float16"),
    "complex states": (_replace("state", np.zeros((100, 21, 2), dtype=np.complex64)), "'state'.*complex64"),
    "compound states": (_replace("state", COMPOUND), "'state'"),
    "bool status": (_replace("status", np.zeros(100, dtype=bool)), "'status'.*bool"),
    "flat states": (_replace("state", np.zeros((100, 42), dtype=np.float32)), "'state' has shape"),
    "too few states": (_replace("state", np.zeros((99, 21, 2), dtype=np.float32)), "'state'.*99"),
    "another grid": (_replace("time", np.linspace(0, 2, 20)), "20|21"),
    "too many names": (_replace("component", ["a", "b", "c"]), "'component'|component has"),
    "numbers as names": (_replace("component", np.arange(2)), "'component'"),
    "short parameter": (
        lambda file: (
            file.__delitem__("mu"),
            file.create_dataset("mu", data=np.zeros(7)),
            file["mu"].attrs.__setitem__("role", "parameter"),
        ),
        "'mu'.*7",
    ),
    "unknown variable": (lambda file: file.create_dataset("spare", data=[1.0]), "'spare'"),
}


@pytest.mark.parametrize("departure", DEPARTURES)
def test_every_departure_from_the_format_is_refused_by_name(tmp_path, make_shard, departure):
    change, expected = DEPARTURES[departure]
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard())
    damage(path, change)
    with pytest.raises(FormatError, match=expected):
        read_shard(path)
    with pytest.raises(FormatError, match=expected):
        TrajectoryDataset(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "other HDF5"])
def test_what_is_no_shard_is_refused(tmp_path, kind):
    path = tmp_path / "train-00000.h5"
    match kind:
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("x1,x2\n1,2\n" * 1000)
        case "empty":
            path.touch()
        case "other HDF5":
            with h5py.File(path, "w") as file:
                file["state"] = np.zeros((3, 2, 1))
    with pytest.raises(FormatError, match=r"train-00000\.h5"):
        read_shard(path)


def test_a_shard_lists_every_variable_of_the_schema(make_shard):
    assert set(make_shard().variables) == set(VARIABLES) | {"mu"} == VARIABLE_NAMES
