"""A dataset -> files of another kind, one a split: NPZ, CSV or netCDF."""

import csv
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ....data.base.arguments import check_no_text, one_of
from ....data.base.errors import DataError
from ....data.base.files import atomic_path, write_json
from ....data.remote.opening import shown
from ....data.shard.hdf5_writing import new_hdf5
from ....data.shard.layout import fill_rows, make_variables
from ....data.shard.schema import CONVENTIONS, DIAGNOSTICS, SPLITS, SYSTEM_STATE
from ....data.shard.shard import Shard
from ..writer import new_folder
from .source import Source

# Attributes that are true of a shard alone.
OF_A_SHARD = ("format", "format_version", "first_row", "content_hash")
# The array that says the units, and what stands for none.
UNITS, NO_UNIT = "units", "1"
# As many digits as it takes to read the same number again.
DIGITS = {"float32": "%.9g", "float64": "%r"}


def export(path: str | Path, out: str | Path, form: str, splits: Sequence[str] = ()) -> list[Path]:
    """Write a dataset in another format to a new folder: a file for each split, and `dataset.json`.

    One shard at a time is in memory. `dataset.json` keeps id, config and provenance.

    Args:
        path: A dataset folder, or one shard.
        out: The folder, which must be new or empty.
        form: A key of FORMS: "npz", "csv" or "netcdf".
        splits: Names; none for all that have rows.

    Returns:
        The files that were written.

    Raises:
        FormatError: The path is no dataset.
        DataError: It has no such split.
    """
    out = Path(out)
    suffix, write = FORMS[one_of("form", form, FORMS)]
    source = Source.open(path)
    present = [split for split in SPLITS if source.manifest.splits[split].shards]
    check_no_text("splits", splits)
    for split in splits:
        if split not in present:
            raise DataError(
                f"{shown(source.path)}: has no rows of the split {split!r}; it has {', '.join(present)}"
            )
    names = []
    with new_folder(out) as folder:
        for split in dict.fromkeys(splits or present):
            names.append(f"{split}{suffix}")
            with atomic_path(folder / names[-1]) as temporary:
                write(temporary, source, split)
        manifest = source.manifest
        facts = {"id": manifest.id, "config": manifest.config, "components": manifest.components}
        write_json(folder / "dataset.json", facts)
    return [out / name for name in names]


def _write_npz(path: Path, source: Source, split: str) -> None:
    """Arrays by the names of the format, uncompressed, so that `numpy.load` can read one without the others.

    Where there are units, an array of that name has them as JSON.
    """
    rows, first = source.manifest.splits[split].trajectories, source.firsts[split]
    small: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(path, "w") as archive:
        for large, like in first.over_time.items():
            with _member(archive, large) as member:
                _write_header(member, (rows, *like.shape[1:]), like.dtype)
                for shard in source.shards(split):
                    member.write(np.ascontiguousarray(shard.over_time[large], like.dtype).data)
        for shard in source.shards(split):
            for name, values in _columns(shard).items():
                small.setdefault(name, []).append(values)
        arrays = {name: np.concatenate(parts) for name, parts in small.items()}
        units = _units(first)
        if units:
            arrays[UNITS] = np.array(json.dumps(units, sort_keys=True))
        arrays |= {"time": first.time, "component": np.array(first.components)}
        if first.system_states:
            arrays[SYSTEM_STATE] = np.array(first.system_states)
        for name, values in arrays.items():
            with _member(archive, name) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _units(shard: Shard) -> dict[str, str]:
    """Units of the times and parameters that have one."""
    return {name: unit for name, unit in shard.units.items() if unit != NO_UNIT}


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # A ZipInfo of its own has no clock time: the same dataset gives the same bytes.
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _columns(shard: Shard) -> dict[str, np.ndarray]:
    """The variables that have one entry a row."""
    return {
        "trajectory": shard.trajectory,
        "initial_state": shard.initial_state,
        "status": shard.status,
        **shard.parameters,
        **{name: values for name, values in shard.optional.items() if name not in shard.over_time},
    }


def _write_csv(path: Path, source: Source, split: str) -> None:
    """A line a sample: trajectory, time, components, parameters, diagnostics; failed rows are empty cells.

    What has a unit has it in brackets behind its name, as "time [s]".
    What is kept beside the states has columns like "derivative:x". Parameters and diagnostics are the same in all
    lines of a row.
    """
    first = source.first
    diagnostics = [name for name in DIAGNOSTICS if name in first.optional]
    names, form = ["trajectory", "time"], ["%d", "%r"]
    for name, values in first.over_time.items():
        prefix = "" if name == "state" else f"{name}:"
        names += [f"{prefix}{component}" for component in first.components]
        form += [DIGITS[values.dtype.name]] * len(first.components)
    names += [*first.parameters, *diagnostics]
    units = _units(first)
    names = [f"{name} [{units[name]}]" if name in units else name for name in names]
    form += ["%r"] * (len(first.parameters) + len(diagnostics))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        csv.writer(file, lineterminator="\n").writerow(names)
        for shard in source.shards(split):
            for row, number in enumerate(shard.trajectory.tolist()):
                constants = [values[row] for values in shard.parameters.values()]
                constants += [shard.optional[name][row] for name in diagnostics]
                table = np.column_stack(
                    [
                        np.full(len(shard.time), number),
                        shard.time,
                        *(values[row] for values in shard.over_time.values()),
                        *(np.full(len(shard.time), constant) for constant in constants),
                    ]
                )
                line = ",".join(form) + "\n"
                text = "".join([line % tuple(values) for values in table.tolist()])
                file.write(text.replace("nan", "") if shard.status[row] else text)


def _write_netcdf(path: Path, source: Source, split: str) -> None:
    """A netCDF-4 file with the variables, attributes and dimension scales of a shard, for all rows."""
    rows = source.manifest.splits[split].trajectories
    first = source.firsts[split]
    attributes = {name: value for name, value in first.attributes.items() if name not in OF_A_SHARD}
    with new_hdf5(path) as file:
        made = make_variables(file, first.variables, first.parameters, first.units, rows)
        for name, value in {**attributes, "Conventions": CONVENTIONS, "split": split}.items():
            file.attrs[name] = value
        start = 0
        for shard in source.shards(split):
            fill_rows(made, shard.variables, start)
            start += len(shard.status)


FORMS: dict[str, tuple[str, Callable[[Path, Source, str], None]]] = {
    "npz": (".npz", _write_npz),
    "csv": (".csv", _write_csv),
    "netcdf": (".nc", _write_netcdf),
}
