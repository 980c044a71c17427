"""The benchmark of dysts (Gilpin 2021, arXiv:2110.05266) from its own files: a dataset for each system, and a study.

Each system has two series: one to tune on, one to be judged on. Of the latter the first five sixths are fitted, and
the rest is forecast: `train` has a row of what is fitted, `test` one of the whole series, whose history `train` has,
too, and `validation` one of the series to tune on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from ....data.base.files import write_text
from ....data.folder.manifest import Manifest
from ..writer import new_folder
from .agreement import check_twice
from .dysts_files import read_series
from .dysts_study import REFERENCE, study_of
from .measurements import Measurements, Trajectory
from .pieces import SAME_GRID, Piece
from .settings import Import, check_settings
from .time_units import NONE
from .writing import check_small, stated, write_pieces

STUDY = "study.toml"
FITTED = 5, 6
# Points of a series: fewer leave rows without a history before what is forecast.
FEWEST = 24
JUDGED, TUNED = "test_", "train_"


@dataclass(frozen=True)
class Benchmark:
    """What was made: a dataset for each system, and whether there was a series to tune on for each."""

    manifests: dict[str, Manifest]
    tuning: Path | None


@dataclass(frozen=True)
class Lengths:
    """Points of a series, and how many of them are fitted, before those that are forecast."""

    series: int
    fitted: int

    @property
    def forecast(self) -> int:
        return self.series - self.fitted


def import_dysts(
    file: str | Path, out: str | Path, systems: Sequence[str] = (), settings: Import | None = None
) -> Benchmark:
    """Write a folder with a dataset for each system of a file of the benchmark, and `study.toml`, which judges all.

    Args:
        file: The series that are judged, as test_univariate__pts_per_period_100__periods_12.json.gz. Where a file
            with `train_` in the place of `test_` lies beside it, settings are chosen on the series of that one.
        out: The folder, which must be new or empty.
        systems: Their names; none are all that the file has.
        settings: dtype (float64 if it says none), license and creator.

    Returns:
        The manifests, by the names of their systems.

    Raises:
        DataError: A file cannot be read, or is none of that form.
    """
    path, settings = Path(file), settings or Import()
    check_settings(settings)
    paths, read = [path], [read_series(path, systems)]
    beside = path.with_name(TUNED + path.name.removeprefix(JUDGED))
    tuning = beside if path.name.startswith(JUDGED) and beside.is_file() else None
    if tuning is not None:
        paths.append(tuning)
        read.append(read_series(tuning, tuple(read[0])))
    lengths = _lengths(path, read[0])
    with new_folder(Path(out)) as folder:
        manifests = {
            name: _write(folder / name, name, paths, [each[name] for each in read], lengths, settings)
            for name in read[0]
        }
        write_text(
            folder / STUDY, study_of(read[0], lengths.forecast, lengths.fitted - 1, is_whole=not systems)
        )
    return Benchmark(manifests, tuning)


def _lengths(path: Path, series: Mapping[str, Trajectory]) -> Lengths:
    """Of all series, which must be of one length: a study has one horizon."""
    first, *_ = series
    points = len(series[first].time)
    for name, each in series.items():
        if len(each.time) != points:
            raise DataError(
                f"{path}: the series of {name} has {len(each.time)} points, that of {first} {points}; expected the "
                "same. Import those of one length by themselves, with --system"
            )
    if points < FEWEST:
        raise DataError(f"{path}: series have {points} points, expected at least {FEWEST}")
    return Lengths(points, FITTED[0] * points // FITTED[1])


def _write(
    folder: Path,
    name: str,
    paths: list[Path],
    series: list[Trajectory],
    lengths: Lengths,
    settings: Import,
) -> Manifest:
    judged, *tuned = series
    for path, each in zip(paths, series, strict=True):
        if each.states.shape != judged.states.shape:
            raise DataError(
                f"{path}: the series of {name} has shape {each.states.shape}; expected {judged.states.shape} as in "
                f"{paths[0]}"
            )
    by_split = {
        "train": [Piece(0, judged, 0, lengths.fitted)],
        **({"validation": [Piece(1, tuned[0], 0, lengths.series)]} if tuned else {}),
        "test": [Piece(0, judged, 0, lengths.series)],
    }
    components = tuple(f"x{number + 1}" for number in range(judged.states.shape[1]))
    dtype = settings.dtype or "float64"
    read = [Measurements(dict(zip(components, components, strict=True)), [each], dtype) for each in series]
    check_twice(paths, read)
    check_small(paths, read, dtype)
    whole = _step(name, paths, series) * np.arange(lengths.series)
    times = {split: whole[: piece.stop] for split, (piece,) in by_split.items()}
    told = replace(settings, name=name, title=f"{name}, of the benchmark of dysts ({REFERENCE})")
    arguments = {"split_by": "dysts", "fitted": lengths.fitted, "forecast": lengths.forecast, "system": name}
    config = stated(told, paths, components, {}, NONE, times, dtype, arguments)
    folder.mkdir()
    return write_pieces(folder, config, paths, by_split, times, components)


def _step(name: str, paths: list[Path], series: list[Trajectory]) -> float:
    """The time from point to point, which must be the same all along."""
    step = float(series[0].time[-1] - series[0].time[0]) / (len(series[0].time) - 1)
    for path, each in zip(paths, series, strict=True):
        off = np.abs(np.diff(each.time) - step)
        if off.max() > SAME_GRID * step:
            raise DataError(
                f"{path}: the times of {name} are {np.diff(each.time)[off.argmax()]:.9g} apart at point "
                f"{off.argmax()} (from 0); expected {step:.9g} everywhere, as in the mean of {paths[0]}"
            )
    return step
