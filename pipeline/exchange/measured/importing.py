"""Measured trajectories -> a dataset like any other, but for its equations, which nobody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.arguments import one_of, positive, share, whole_number
from ....data.base.errors import DataError, TrajstoreError
from ....data.base.hashing import file_hash
from ....data.folder.manifest import Manifest
from ....data.folder.stated_grid import describe_grid
from ....data.shard.schema import SPLITS, STATE_DTYPES, Status
from ....data.shard.shard import Shard
from ....data.shard.sizes import rows_of_shard
from ...config.plain_values import check_texts
from ...dynamics.systems.naming import check_name
from ..derived.source import origin
from ..writer import DatasetWriter, new_folder
from .agreement import check_alike, check_twice, in_one_unit
from .exact import underflows
from .measurements import Columns, Measurements
from .pieces import Grid, LeftOut, Piece, common_times, counted, cut, split
from .reading import read_measurements
from .resampling import INTERPOLATION, resampled
from .time_units import TimeUnit

NO_ENGINE = {"name": "none"}
SPLIT_BY = ("trajectory", "time")


@dataclass(frozen=True)
class Import:
    """What becomes of measured files.

    Attributes:
        length: Into pieces of how many points each trajectory is cut; None keeps trajectories whole.
        validation: Which share goes to the validation split: of the trajectories or, by time, of each trajectory.
        test: Which share goes to the test split.
        time_unit: The unit of the times; None is the one that the files state.
        resample: The interval between points of the dataset, interpolated; None takes the points of the files.
        by: "trajectory" deals whole trajectories to the splits; "time" gives the first pieces of each to train,
            the last to test.
    """

    columns: Columns = field(default_factory=Columns)
    name: str = "measured"
    length: int | None = None
    validation: float = 0.1
    test: float = 0.1
    by: str = "trajectory"
    seed: int = 0
    dtype: str | None = None
    time_unit: str | None = None
    resample: float | None = None
    title: str | None = None
    license: str = "unspecified"
    creator: str = "unspecified"


@dataclass(frozen=True)
class Imported:
    """A new dataset, what the files hold, what of them is not in it, and what was made of their times."""

    manifest: Manifest
    read: list[Measurements]
    left_out: LeftOut
    remarks: list[str]


def import_files(files: str | Path | Sequence[str | Path], out: str | Path, settings: Import) -> Imported:
    """Write the trajectories of measured files, or of one, to a new dataset folder.

    All become rows of one grid: with their own times where these agree, else with times that count from their
    first point. A row with a gap is kept as NaN, with the status "missing".

    Args:
        files: Paths of the files, or one path.
        out: The folder, which must be new or empty.
        settings: What becomes of them.

    Returns:
        The manifest, what the files hold, what of them was left out, and remarks on their times.

    Raises:
        DataError: A file cannot be read, the files or a setting do not fit, or a trajectory occurs twice.
    """
    paths, out = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)], Path(out)
    if not paths:
        raise DataError("files is empty; expected at least one file of measurements")
    _check_settings(settings)
    read = [read_measurements(path, settings.columns) for path in paths]
    check_alike(paths, read)
    check_twice(paths, read)
    read, unit, remarks = in_one_unit(paths, read, settings.time_unit)
    components, parameters = tuple(read[0].components), tuple(settings.columns.parameters)
    for name in (*components, *parameters):
        _check_name(name)
    dtype = settings.dtype or max(
        (measured.dtype for measured in read), key=lambda name: np.dtype(name).itemsize
    )
    _check_small(paths, read, dtype)
    if settings.resample is not None:
        read = [resampled(path, each, settings.resample) for path, each in zip(paths, read, strict=True)]
    pieces, left_out = cut(paths, read, settings.length)
    grid = common_times(paths, pieces, read)
    times = grid.times
    if grid.relative:
        unit = str(TimeUnit.of(unit).plain)
    if grid.regular is not None:
        remarks.append(
            f"times are regular, a step of {grid.regular.step}, but for the last digit of the files "
            f"({grid.regular.last_digit:.3g})"
        )
    units = {name: read[0].units.get(name, "1") for name in parameters}
    config = _config(settings, paths, components, units, unit, grid, dtype, left_out)
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, config, NO_ENGINE)
        for name, chosen in zip(
            SPLITS,
            split(pieces, settings.by, (settings.validation, settings.test), settings.seed),
            strict=True,
        ):
            rows = config["dataset"]["shard_rows"]
            for first in range(0, len(chosen), rows):
                some = chosen[first : first + rows]
                writer.add(
                    name, _as_rows(paths, some, times, components, parameters, dtype, {"time": unit, **units})
                )
        return Imported(writer.finish(), read, left_out, remarks)


def _config(
    settings: Import,
    paths: list[Path],
    components: tuple[str, ...],
    units: Mapping[str, str],
    time_unit: str,
    grid: Grid,
    dtype: str,
    left_out: LeftOut,
) -> dict[str, Any]:
    """What the manifest keeps of a dataset with these components, parameters with these units, and times."""
    times = grid.times
    return {
        "system": {
            "name": settings.name,
            "states": list(components),
            "parameters": {name: {"unit": each, "meaning": ""} for name, each in units.items()},
            "time_unit": time_unit,
            "description": "Measured trajectories; their equations are not known.",
        },
        "grid": describe_grid(times, float(times[0]), "none" if settings.resample is None else INTERPOLATION),
        "dataset": {
            "seed": settings.seed,
            "dtype": dtype,
            "shard_rows": rows_of_shard(len(times), len(components), dtype),
            "compression": "none",
            "title": settings.title or f"Measured trajectories: {settings.name}",
            "license": settings.license,
            "creator": settings.creator,
        },
        "engine": NO_ENGINE,
        "derived": {
            "operation": "import",
            "arguments": {
                "split_by": settings.by,
                **({"length": settings.length} if settings.length else {}),
                **({"resample": settings.resample} if settings.resample is not None else {}),
                **({"regular_step": str(grid.regular.step)} if grid.regular else {}),
                **({"left_out": asdict(left_out)} if left_out != LeftOut() else {}),
            },
            "sources": [
                {"file": path.name, "bytes": path.stat().st_size, "sha256": file_hash(path)} for path in paths
            ],
        },
    }


def _check_settings(settings: Import) -> None:
    one_of("by", settings.by, SPLIT_BY)
    if settings.dtype is not None:
        one_of("dtype", settings.dtype, STATE_DTYPES)
    for what in ("name", "title", "license", "creator", "time_unit"):
        value = getattr(settings, what)
        if not isinstance(value, str) and not (value is None and what in ("title", "time_unit")):
            raise DataError(f"{what} is {value!r:.80}; expected text")
        check_texts({what: value})
    if settings.time_unit is not None and not settings.time_unit.strip():
        raise DataError(f"time_unit is {settings.time_unit!r:.80}; expected a unit, as in 's', or 1 for none")
    if settings.length is not None:
        whole_number("length", settings.length, 2)
    if whole_number("seed", settings.seed, 0) >= 2**63:
        raise DataError(f"seed is {settings.seed}; expected a whole number below 2**63")
    if settings.resample is not None:
        positive("resample", settings.resample)
    if share("validation", settings.validation) + share("test", settings.test) >= 1:
        raise DataError(
            f"validation ({settings.validation:g}) and test ({settings.test:g}) leave nothing for train; expected "
            "shares that add up to less than 1"
        )


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except TrajstoreError as error:
        raise DataError(f"{error}: as in --components NEW={name!r}") from None


def _check_small(paths: Sequence[Path], read: list[Measurements], dtype: str) -> None:
    """Raises DataError if a measured number is too close to 0 for the type.

    Of what is resampled, no number was measured with all its digits.
    """
    for path, measured in zip(paths, read, strict=True):
        for trajectory in measured.trajectories:
            lost = np.argwhere(underflows(trajectory.states, dtype))
            if len(lost):
                sample, place = lost[0]
                name, value = tuple(measured.components)[place], trajectory.states[sample, place]
                raise DataError(
                    f"{path}: {name} of trajectory {trajectory.number} is {value}, which {dtype} would hold as "
                    f"{value.astype(dtype)!s}; say --dtype float64, or choose another unit"
                )


def _as_rows(
    paths: Sequence[Path],
    pieces: list[Piece],
    times: np.ndarray,
    components: tuple[str, ...],
    parameters: tuple[str, ...],
    dtype: str,
    units: Mapping[str, str],
) -> Shard:
    measured = np.stack([piece.trajectory.states[piece.start : piece.stop] for piece in pieces]).astype(
        np.float64
    )
    with np.errstate(over="ignore"):
        state = measured.astype(dtype)
    lost = np.argwhere(np.isfinite(measured) & ~np.isfinite(state))
    if len(lost):
        row, sample, place = lost[0]
        raise DataError(
            f"{paths[pieces[row].source]}: {components[place]} of trajectory {pieces[row].trajectory.number} is "
            f"{measured[row, sample, place]}, more than {dtype} holds; say --dtype float64"
        )
    status = np.where(np.isfinite(state).all(axis=(1, 2)), Status.OK, Status.MISSING).astype(np.int8)
    state[status != Status.OK] = np.nan
    numbers = np.array([piece.trajectory.number for piece in pieces])
    sources = np.array([piece.source for piece in pieces], dtype=np.int32)
    return Shard(
        state=state,
        time=times,
        components=components,
        trajectory=np.arange(len(pieces)),
        initial_state=measured[:, 0].copy(),
        parameters={
            name: np.array([piece.trajectory.parameters[name] for piece in pieces]) for name in parameters
        },
        status=status,
        attributes={},
        units=dict(units),
        optional={**origin(len(pieces), 0, numbers), "source": sources},
    )


def summary(imported: Imported, columns: Columns) -> list[str]:
    """What was left out, if anything was, and what each variable became: lines for people."""
    first, left_out = imported.read[0], imported.left_out
    lines = [*imported.remarks, *(remark for each in imported.read for remark in each.remarks)]
    if left_out != LeftOut():
        length = imported.manifest.config["derived"]["arguments"]["length"]
        lines.append(
            f"left out: {counted(left_out.trajectories, 'trajectory')} shorter than {length} samples, "
            f"{counted(left_out.samples, 'sample')} at ends"
        )
    state = _renamed(first.components)
    became = {
        "state": f"{state} of {first.state}" if first.state else state,
        "time": first.time or f"every {columns.step:g}",
        "trajectories by": first.group,
        "parameters": _renamed(columns.parameters),
        "angles in": first.angles,
        "not used": ", ".join(dict.fromkeys(name for each in imported.read for name in each.unused)),
    }
    return [*lines, "; ".join(f"{what}: {names}" for what, names in became.items() if names)]


def _renamed(names: Mapping[str, str]) -> str:
    return ", ".join(new if new == old else f"{new} = {old}" for new, old in names.items())
