"""Some rows and times of a dataset -> a dataset of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from ....data.base.arguments import check_no_text, one_of
from ....data.base.errors import DataError
from ....data.folder.manifest import Manifest
from ....data.folder.stated_grid import by_split, describe_grid, diagnosed, initial_time, joined_grid
from ....data.shard.rows import take_rows, take_times
from ....data.shard.schema import DIAGNOSTICS, SPLITS, Status
from ....data.shard.shard import Shard
from ..writer import DatasetWriter, new_folder
from .source import Source, derived_config, restated, with_origin

# Ends of a time span may miss a grid point by rounding, in parts of the grid's step.
ROUNDING = 1e-6

Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Selection:
    """What to keep of a dataset; rows must fulfil every condition that is given.

    Attributes:
        splits: Names; none for all.
        rows: [first, last) in the numbers of each split.
        where: For each parameter [low, high], both ends included, in its unit.
        status: Names of `Status`; none for all.
        time: [first, last], both ends included, in the unit of time.
        stride: Of that span every so many-th point is kept.
    """

    splits: Sequence[str] = ()
    rows: Range = (None, None)
    where: Mapping[str, Range] = field(default_factory=dict)
    status: Sequence[str] = ()
    time: Range = (None, None)
    stride: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The conditions that are given, JSON-ready."""
        given: dict[str, Any] = {
            "splits": list(self.splits),
            "rows": list(self.rows) if self.rows != (None, None) else None,
            "where": {name: list(limits) for name, limits in self.where.items()},
            "status": list(self.status),
            "time": list(self.time) if self.time != (None, None) else None,
            "stride": self.stride if self.stride != 1 else None,
        }
        return {key: value for key, value in given.items() if value}


def select(
    path: str | Path,
    out: str | Path,
    selection: Selection,
    *,
    title: str | None = None,
    creator: str | None = None,
) -> Manifest:
    """Write the chosen part of a dataset to a new folder.

    Rows keep their exact initial states, so they can still be integrated again, and say which rows of the source
    they were.

    Args:
        path: A dataset folder, or one shard; or the address of one, of which the shards that are read come into the
            cache.
        out: The folder, which must be new or empty.
        selection: What to keep.
        title: Of the new dataset; left out: that of the source.
        creator: Who made the new one; left out: that of the source.

    Returns:
        The manifest of the new dataset.

    Raises:
        FormatError: The path is no dataset.
        DataError: Nothing is left, or the selection names what the dataset has not.
    """
    out = Path(out)
    _check_ranges(selection)
    check_no_text("splits", selection.splits)
    check_no_text("status", selection.status)
    for split in selection.splits:
        one_of("split", split, SPLITS)
    for status in selection.status:
        one_of("status", status.lower(), [known.name.lower() for known in Status])
    source = Source.open(path)
    _check(source, selection)
    chosen = [split for split in SPLITS if split in (selection.splits or SPLITS) and split in source.firsts]
    samples = {split: _samples(source, split, selection) for split in chosen}
    config = derived_config("select", selection.to_dict(), [source], restated(title, creator))
    grids = {split: _grid(source, split, samples[split]) for split in chosen}
    if grids and (by_split(config) or any(grid != source.grid_of(split) for split, grid in grids.items())):
        config["grid"] = joined_grid(grids)
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, config, source.engine)
        for split in chosen:
            for shard in source.shards(split):
                rows = take_rows(shard, _rows(shard, selection))
                if len(samples[split]) < len(shard.time):
                    rows = take_times(rows, samples[split])
                writer.add(split, with_origin(rows, 0))
        return writer.finish()


def _check_ranges(selection: Selection) -> None:
    """Raise DataError for a range that nothing can be in, and for rows that are counted from the end."""
    ranges = {"rows": selection.rows, "time": selection.time, **selection.where}
    for name, (low, high) in ranges.items():
        given = [end for end in (low, high) if end is not None]
        got = f"{name}: got {':'.join('' if end is None else f'{end:g}' for end in (low, high))}"
        if any(map(isnan, given)):
            raise DataError(f"{got}, expected numbers")
        if given != sorted(given):
            raise DataError(f"{got}, in which nothing lies; expected the lower end first")
        if name == "rows" and any(end < 0 for end in given):
            raise DataError(f"{got}, expected numbers from 0 on; none are counted from the end")


def _check(source: Source, selection: Selection) -> None:
    for name in selection.where:
        if name not in source.first.parameters:
            known = ", ".join(source.first.parameters) or "none"
            raise DataError(f"--where {name}: no such parameter; the dataset has {known}")


def _grid(source: Source, split: str, samples: np.ndarray) -> dict[str, Any]:
    """What is said of the times of a split's rows, of which these samples are left."""
    grid, first = source.grid_of(split), source.firsts[split]
    if len(samples) == len(first.time):
        return grid
    kept = {key: grid[key] for key in ("shard_rows",) if key in grid}
    kept |= describe_grid(first.time[samples], initial_time(grid), grid["resample"])
    if any(name in first.optional for name in DIAGNOSTICS):
        kept["diagnosed"] = diagnosed(grid)
    return kept


def _samples(source: Source, split: str, selection: Selection) -> np.ndarray:
    """Numbers of the chosen samples of a split's rows. Raises DataError if there are fewer than two."""
    times = source.firsts[split].time
    slack = ROUNDING * np.diff(times).min(initial=np.inf) if len(times) > 1 else 0.0
    inside = _within(times, selection.time, slack)
    chosen = np.flatnonzero(inside)[:: selection.stride]
    if len(chosen) < 2:
        raise DataError(
            f"{len(chosen)} of {len(times)} samples of {split} are left, from {times[0]:g} to {times[-1]:g} there "
            f"are {len(times)}; expected at least two: choose a longer --time or a smaller --stride"
        )
    return chosen


def _rows(shard: Shard, selection: Selection) -> np.ndarray:
    """Mask of the chosen rows."""
    first, last = selection.rows
    chosen = np.ones(len(shard.status), dtype=bool)
    if first is not None:
        chosen &= shard.trajectory >= first
    if last is not None:
        chosen &= shard.trajectory < last
    for name, limits in selection.where.items():
        chosen &= _within(shard.parameters[name], limits)
    if selection.status:
        chosen &= np.isin(shard.status, [Status[name.upper()] for name in selection.status])
    return chosen


def _within(values: np.ndarray, limits: Range, slack: float = 0.0) -> np.ndarray:
    low, high = limits
    inside = np.ones(len(values), dtype=bool)
    if low is not None:
        inside &= values >= low - slack
    if high is not None:
        inside &= values <= high + slack
    return inside
