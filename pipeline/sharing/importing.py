"""Measured trajectories -> a dataset like any other, but for its equations, which nobody knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...data.errors import DataError, TrajstoreError
from ...data.format import SPLITS, Status
from ...data.grid import describe_grid
from ...data.hashing import file_hash
from ...data.manifest import Manifest
from ...data.shard import Shard
from ..config import MAX_SHARD_ROWS, SHARD_BYTES
from ..systems.system import check_name
from .measurements import Columns, Measurements, Trajectory, read_measurements
from .source import origin
from .writer import DatasetWriter, new_folder

# Times that agree to this part of a sampling interval are the same grid.
SAME_GRID = 1e-6
NO_ENGINE = {"name": "none"}


@dataclass(frozen=True)
class Import:
    """What becomes of the files.

    length      cut each trajectory into pieces of so many samples; None keeps them whole
    validation  share of the trajectories (or, split by time, of each) that goes to the validation split
    test        and to the test split
    by          "trajectory", or "time": each trajectory's first pieces to train, its last to test
    """

    columns: Columns = field(default_factory=Columns)
    name: str = "measured"
    length: int | None = None
    validation: float = 0.1
    test: float = 0.1
    by: str = "trajectory"
    seed: int = 0
    dtype: str | None = None
    time_unit: str = "1"
    title: str | None = None
    license: str = "unspecified"
    creator: str = "unspecified"


@dataclass(frozen=True)
class _Piece:
    """Some samples of a trajectory of the file with number `source`."""

    source: int
    trajectory: Trajectory
    start: int
    stop: int

    @property
    def time(self) -> np.ndarray:
        return self.trajectory.time[self.start : self.stop]


def import_files(paths: Sequence[Path], out: Path, settings: Import) -> Manifest:
    """Write the trajectories of measured files to a new dataset folder.

    All become rows of one grid: with their own times where these agree, else with times from their first sample
    on. A row with a gap is kept as NaN with the status "missing". Raises DataError if a file cannot be read, the
    files do not go together, or the trajectories differ in length and no `length` is given.
    """
    read = [read_measurements(path, settings.columns) for path in paths]
    _check_alike(paths, read)
    components, parameters = read[0].components, tuple(settings.columns.parameters)
    for name in (*components, *parameters):
        _check_name(name)
    pieces = _cut(paths, read, settings.length)
    times = _common_times(paths, pieces)
    dtype = settings.dtype or max(
        (measured.dtype for measured in read), key=lambda name: np.dtype(name).itemsize
    )
    row_bytes = len(times) * len(components) * np.dtype(dtype).itemsize
    config = {
        "system": {
            "name": settings.name,
            "states": list(components),
            "parameters": {name: {"unit": "1", "meaning": ""} for name in parameters},
            "time_unit": settings.time_unit,
            "description": "Measured trajectories; their equations are not known.",
        },
        "grid": describe_grid(times, float(times[0]), "none"),
        "dataset": {
            "seed": settings.seed,
            "dtype": dtype,
            "shard_rows": max(1, min(MAX_SHARD_ROWS, SHARD_BYTES // row_bytes)),
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
            },
            "sources": [
                {"file": path.name, "bytes": path.stat().st_size, "sha256": file_hash(path)} for path in paths
            ],
        },
    }
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, config, NO_ENGINE)
        for split, chosen in zip(SPLITS, _split(pieces, settings), strict=True):
            rows = config["dataset"]["shard_rows"]
            for first in range(0, len(chosen), rows):
                writer.add(
                    split, _as_rows(chosen[first : first + rows], times, components, parameters, settings)
                )
        return writer.finish()


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except TrajstoreError as error:
        raise DataError(f"{error}: as in --components NEW={name!r}") from None


def _check_alike(paths: Sequence[Path], read: list[Measurements]) -> None:
    for path, measured in zip(paths, read, strict=True):
        if measured.components != read[0].components:
            raise DataError(
                f"{path}: components are {', '.join(measured.components)}, those of {paths[0]} are "
                f"{', '.join(read[0].components)}; expected the same in all files"
            )


def _cut(paths: Sequence[Path], read: list[Measurements], length: int | None) -> list[_Piece]:
    """All rows-to-be. Raises DataError if the trajectories differ in length and are not to be cut."""
    pieces = []
    for source, measured in enumerate(read):
        for trajectory in measured.trajectories:
            samples = len(trajectory.time)
            cut = length or samples
            starts = range(0, samples - cut + 1, cut)
            pieces += [_Piece(source, trajectory, start, start + cut) for start in starts]
    sizes = {len(piece.time) for piece in pieces}
    if len(sizes) > 1:
        raise DataError(
            f"trajectories have {min(sizes)} to {max(sizes)} samples; say --length N to cut them into pieces of N "
            "samples each"
        )
    if not pieces or sizes == {1}:
        longest = max(len(trajectory.time) for measured in read for trajectory in measured.trajectories)
        raise DataError(
            f"{paths[0]}: the longest trajectory has {longest} samples; expected at least "
            f"{max(2, length or 2)} (--length)"
        )
    return pieces


def _common_times(paths: Sequence[Path], pieces: list[_Piece]) -> np.ndarray:
    """The grid of all rows: their own times if these are the same, else the times since their first samples."""
    first = pieces[0].time
    slack = SAME_GRID * np.diff(first).min()
    if all(np.abs(piece.time - first).max() <= slack for piece in pieces):
        return first
    relative = first - first[0]
    for piece in pieces:
        if np.abs(piece.time - piece.time[0] - relative).max() > slack:
            raise DataError(
                f"{paths[piece.source]}: trajectory {piece.trajectory.number} is sampled at other times than the "
                f"first one of {paths[pieces[0].source]}; a dataset has one grid: resample them before"
            )
    return relative


def _split(pieces: list[_Piece], settings: Import) -> tuple[list[_Piece], list[_Piece], list[_Piece]]:
    """Train, validation and test. Whole trajectories, or parts of each in the order of time, never at random.

    Raises DataError if there are too few to split.
    """
    groups: dict[tuple[int, int], list[_Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.source, piece.trajectory.number), []).append(piece)
    shares = (settings.validation, settings.test)
    if settings.by == "time":
        parts: tuple[list[_Piece], list[_Piece], list[_Piece]] = ([], [], [])
        for group in groups.values():
            bounds_of = _bounds(len(group), "pieces of a trajectory", shares, "choose a smaller --length")
            for part, bounds in zip(parts, bounds_of, strict=True):
                part += group[slice(*bounds)]
        return parts
    mend = "say --split-by time with --length, or --validation 0 --test 0"
    train, validation, test = _bounds(len(groups), "trajectories", shares, mend)
    order = np.random.default_rng(settings.seed).permutation(len(groups))
    keys = list(groups)

    def of(bounds: tuple[int, int]) -> list[_Piece]:
        return [piece for place in sorted(order[slice(*bounds)]) for piece in groups[keys[place]]]

    return of(train), of(validation), of(test)


def _bounds(count: int, what: str, shares: tuple[float, float], mend: str) -> list[tuple[int, int]]:
    """[first, last) of train, validation and test; a share above 0 gets at least one."""
    sizes = [max(1, round(share * count)) if share > 0 else 0 for share in shares]
    train = count - sum(sizes)
    if train < 1:
        raise DataError(
            f"{count} {what} cannot be split into train, validation ({shares[0]:g}) and test ({shares[1]:g}); {mend}"
        )
    return [(0, train), (train, train + sizes[0]), (train + sizes[0], count)]


def _as_rows(
    pieces: list[_Piece],
    times: np.ndarray,
    components: tuple[str, ...],
    parameters: tuple[str, ...],
    settings: Import,
) -> Shard:
    state = np.stack([piece.trajectory.states[piece.start : piece.stop] for piece in pieces]).astype(
        np.float64
    )
    status = np.where(np.isfinite(state).all(axis=(1, 2)), Status.OK, Status.MISSING).astype(np.int8)
    starts = state[:, 0].copy()
    state[status != Status.OK] = np.nan
    numbers = np.array([piece.trajectory.number for piece in pieces])
    sources = np.array([piece.source for piece in pieces], dtype=np.int32)
    return Shard(
        state=state,
        time=times,
        components=components,
        trajectory=np.arange(len(pieces)),
        initial_state=starts,
        parameters={
            name: np.array([piece.trajectory.parameters[name] for piece in pieces]) for name in parameters
        },
        status=status,
        attributes={},
        units={"time": settings.time_unit, **dict.fromkeys(parameters, "1")},
        origin={**origin(len(pieces), 0, numbers), "source": sources},
    )
