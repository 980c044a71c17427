"""Measured trajectories -> a dataset like any other, but for its equations, which nobody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.errors import DataError, TrajstoreError
from ....data.base.suggestions import listed
from ....data.folder.manifest import Manifest
from ....data.shard.limits import MAX_COMPONENTS
from ....data.shard.schema import SPLITS
from ...dynamics.systems.naming import check_name
from ..writer import new_folder
from .agreement import check_alike, check_twice, in_one_unit
from .measurements import Columns, Measurements
from .pieces import LeftOut, common_times, counted, cut, split
from .reading import read_measurements
from .regular import Regular
from .resampling import resampled
from .settings import Import, check_settings
from .time_units import TimeUnit
from .writing import check_small, stated, write_pieces


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
    check_settings(settings)
    read = [read_measurements(path, settings.columns) for path in paths]
    check_alike(paths, read)
    check_twice(paths, read)
    read, unit, remarks = in_one_unit(paths, read, settings.time_unit)
    components, parameters = tuple(read[0].components), tuple(settings.columns.parameters)
    if len(components) > MAX_COMPONENTS:
        raise DataError(
            f"{paths[0]}: has {len(components):,} components; at most {MAX_COMPONENTS:,} are stored. Choose some by "
            "--components, or make means of neighbours before"
        )
    for name in (*components, *parameters):
        _check_name(name)
    dtype = settings.dtype or max(
        (measured.dtype for measured in read), key=lambda name: np.dtype(name).itemsize
    )
    check_small(paths, read, dtype)
    if settings.resample is not None:
        read = [resampled(path, each, settings.resample) for path, each in zip(paths, read, strict=True)]
    pieces, left_out = cut(paths, read, settings.length)
    grid = common_times(paths, pieces, read)
    if grid.relative:
        unit = str(TimeUnit.of(unit).plain)
    if grid.regular is not None:
        remarks.append(
            f"times are regular, a step of {grid.regular.step}, but for the last digit of the files "
            f"({grid.regular.last_digit:.3g})"
        )
    units = {name: read[0].units.get(name, "1") for name in parameters}
    arguments = _arguments(settings, grid.regular, left_out)
    times = dict.fromkeys(map(str, SPLITS), grid.times)
    slopes = bool(settings.columns.derivatives)
    config = stated(settings, paths, components, units, unit, times, dtype, arguments, slopes=slopes)
    chosen = split(pieces, settings.by, (settings.validation, settings.test), settings.seed)
    with new_folder(out) as folder:
        by_split = dict(zip(map(str, SPLITS), chosen, strict=True))
        manifest = write_pieces(folder, config, paths, by_split, times, components)
    return Imported(manifest, read, left_out, remarks)


def _arguments(settings: Import, regular: Regular | None, left_out: LeftOut) -> dict[str, Any]:
    """What a dataset says of how it was imported, JSON-ready."""
    return {
        "split_by": settings.by,
        **({"length": settings.length} if settings.length else {}),
        **({"resample": settings.resample} if settings.resample is not None else {}),
        **({"regular_step": str(regular.step)} if regular else {}),
        **({"left_out": asdict(left_out)} if left_out != LeftOut() else {}),
    }


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except TrajstoreError as error:
        raise DataError(f"{error}: as in --components NEW={name!r}") from None


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
        "dx/dt": _renamed(columns.derivatives),
        "angles in": first.angles,
        "not used": ", ".join(dict.fromkeys(name for each in imported.read for name in each.unused)),
    }
    return [*lines, "; ".join(f"{what}: {names}" for what, names in became.items() if names)]


def _renamed(names: Mapping[str, str]) -> str:
    return listed(new if new == old else f"{new} = {old}" for new, old in names.items()) if names else ""
