"""Pieces of measured trajectories -> rows of a dataset, and what its manifest says of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError
from ....data.base.hashing import file_hash
from ....data.folder.manifest import Manifest
from ....data.folder.stated_grid import describe_grid, joined_grid
from ....data.shard.schema import DERIVATIVE, Status
from ....data.shard.shard import Shard
from ....data.shard.sizes import rows_of_shard
from ..derived.source import origin
from ..writer import DatasetWriter
from .exact import underflows
from .measurements import Measurements
from .pieces import Piece
from .resampling import INTERPOLATION
from .settings import Import

NO_ENGINE = {"name": "none"}


def stated(
    settings: Import,
    paths: list[Path],
    components: tuple[str, ...],
    units: Mapping[str, str],
    time_unit: str,
    times: Mapping[str, np.ndarray],
    dtype: str,
    arguments: Mapping[str, Any],
    *,
    slopes: bool = False,
) -> dict[str, Any]:
    """What the manifest keeps of a dataset with these components, parameters with these units, and times by split.

    arguments  of the import, which say how rows were chosen
    slopes     whether dx/dt was measured, too
    """
    resampling = "none" if settings.resample is None else INTERPOLATION
    grids = {split: describe_grid(each, float(each[0]), resampling) for split, each in times.items()}
    points = next(iter(grids.values()))["points"]
    return {
        "system": {
            "name": settings.name,
            "states": list(components),
            "parameters": {name: {"unit": each, "meaning": ""} for name, each in units.items()},
            "time_unit": time_unit,
            "description": "Measured trajectories; their equations are not known.",
        },
        "grid": joined_grid(grids),
        "dataset": {
            "seed": settings.seed,
            "dtype": dtype,
            "shard_rows": rows_of_shard(points, len(components), dtype),
            "compression": "none",
            "title": settings.title or f"Measured trajectories: {settings.name}",
            "license": settings.license,
            "creator": settings.creator,
        },
        "engine": NO_ENGINE,
        **({"observation": {"derivative": True}} if slopes else {}),
        "derived": {
            "operation": "import",
            "arguments": dict(arguments),
            "sources": [
                {"file": path.name, "bytes": path.stat().st_size, "sha256": file_hash(path)} for path in paths
            ],
        },
    }


def write_pieces(
    folder: Path,
    config: dict[str, Any],
    paths: Sequence[Path],
    by_split: Mapping[str, list[Piece]],
    times: Mapping[str, np.ndarray],
    components: tuple[str, ...],
) -> Manifest:
    """Write a dataset into an empty folder. Raises DataError if a number is more than its type holds.

    config  as of `stated`
    """
    writer = DatasetWriter(folder, config, NO_ENGINE)
    rows, dtype = config["dataset"]["shard_rows"], config["dataset"]["dtype"]
    parameters = {name: each["unit"] for name, each in config["system"]["parameters"].items()}
    units = {"time": config["system"]["time_unit"], **parameters}
    for name, chosen in by_split.items():
        for first in range(0, len(chosen), rows):
            some = chosen[first : first + rows]
            writer.add(name, _as_rows(paths, some, times[name], components, tuple(parameters), dtype, units))
    return writer.finish()


def check_small(paths: Sequence[Path], read: list[Measurements], dtype: str) -> None:
    """Raises DataError if a measured number is too close to 0 for the type.

    Of what is resampled, no number was measured with all its digits.
    """
    for path, measured in zip(paths, read, strict=True):
        for trajectory in measured.trajectories:
            for what, values in (("", trajectory.states), ("the derivative of ", trajectory.slopes)):
                if values is None:
                    continue
                lost = np.argwhere(underflows(values, dtype))
                if len(lost):
                    sample, place = lost[0]
                    name, value = tuple(measured.components)[place], values[sample, place]
                    raise DataError(
                        f"{path}: {what}{name} of trajectory {trajectory.number} is {value}, which {dtype} would "
                        f"hold as {value.astype(dtype)!s}; say --dtype float64, or choose another unit"
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
    measured = _measured(pieces, [piece.trajectory.states for piece in pieces])
    over_time = {"state": _stored(paths, pieces, components, measured, dtype)}
    if pieces[0].trajectory.slopes is not None:
        slopes = _measured(pieces, [piece.trajectory.slopes for piece in pieces])
        named = [f"the derivative of {name}" for name in components]
        over_time[DERIVATIVE] = _stored(paths, pieces, named, slopes, dtype)
    finite = [np.isfinite(values).all(axis=(1, 2)) for values in over_time.values()]
    status = np.where(np.all(finite, axis=0), Status.OK, Status.MISSING).astype(np.int8)
    for values in over_time.values():
        values[status != Status.OK] = np.nan
    numbers = np.array([piece.trajectory.number for piece in pieces])
    sources = np.array([piece.source for piece in pieces], dtype=np.int32)
    return Shard(
        state=over_time.pop("state"),
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
        optional={**origin(len(pieces), 0, numbers), "source": sources, **over_time},
    )


def _measured(pieces: list[Piece], values: list[Any]) -> np.ndarray:
    """What was measured along the trajectories of pieces, of each piece its part: (n, T, D) float64."""
    parts = [each[piece.start : piece.stop] for each, piece in zip(values, pieces, strict=True)]
    return np.stack(parts).astype(np.float64)


def _stored(
    paths: Sequence[Path], pieces: list[Piece], names: Sequence[str], measured: np.ndarray, dtype: str
) -> np.ndarray:
    """The same in the type of the dataset. Raises DataError if a number is more than it holds."""
    with np.errstate(over="ignore"):
        stored = measured.astype(dtype)
    lost = np.argwhere(np.isfinite(measured) & ~np.isfinite(stored))
    if len(lost):
        row, sample, place = lost[0]
        raise DataError(
            f"{paths[pieces[row].source]}: {names[place]} of trajectory {pieces[row].trajectory.number} is "
            f"{measured[row, sample, place]}, more than {dtype} holds; say --dtype float64"
        )
    return stored
