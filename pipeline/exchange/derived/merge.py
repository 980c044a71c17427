"""Datasets of one kind -> one dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....data.base.arguments import check_no_text
from ....data.base.errors import DataError, FormatError
from ....data.folder.manifest import Manifest
from ....data.folder.stated_grid import STARTS, diagnosed, initial_time, joined_grid
from ....data.folder.stated_observation import observed
from ....data.remote.opening import shown
from ....data.shard.schema import DIAGNOSTICS, SPLITS, Status
from ....data.shard.shard import Shard
from ...dynamics.engines.base.engine import revision_of
from ..writer import DatasetWriter, new_folder
from .duplicates import Trajectories
from .source import Source, derived_config, restated, with_origin

SHOWN = 80
# So many numbers are shown one by one.
LISTED = 4
SECTIONS_OF_STARTS = ("initial_states", STARTS)
SAME_SEED = "Were they made with the same seed? Choose other rows with `trajstore select`."
WITHIN = "That dataset has it twice by itself: choose some of its rows with `trajstore select`."


def merge(
    paths: Sequence[str | Path], out: str | Path, *, title: str | None = None, creator: str | None = None
) -> Manifest:
    """Write the rows of several datasets, split by split in the order given, to a new folder.

    They must have the same equations, names, grid and dtype. Values of parameters, seeds and ranges of initial
    states may differ. A trajectory that occurs twice is an error, for it could lie in two splits.

    Args:
        paths: Dataset folders or shards.
        out: The folder, which must be new or empty.
        title: Of the new dataset; left out: that of the first.
        creator: Who made the new one; left out: that of the first.

    Returns:
        The manifest of the new dataset.

    Raises:
        FormatError: A path is no dataset.
        DataError: They do not go together.
    """
    check_no_text("paths", paths, of="paths")
    sources = [Source.open(path) for path in paths]
    for other in sources[1:]:
        _check_alike(sources[0], other)
    grids = _grids(sources)
    config = derived_config("merge", {}, sources, restated(title, creator))
    config["system"] = _joint_system(sources)
    starts = [[source.manifest.config.get(key) for key in SECTIONS_OF_STARTS] for source in sources]
    if any(other != starts[0] for other in starts):
        # Each source says how its own were drawn.
        for key in SECTIONS_OF_STARTS:
            config.pop(key, None)
    if any(grid != sources[0].grid_of(split) for split, grid in grids.items()):
        config["grid"] = joined_grid(grids)
    trajectories = Trajectories()
    with new_folder(Path(out)) as folder:
        writer = DatasetWriter(folder, config, _loosest_engine(sources))
        for split in SPLITS:
            for number, source in enumerate(sources):
                for shard in source.shards(split):
                    _note(trajectories, shard, source, number, split)
                    writer.add(split, with_origin(shard, number))
        trajectories.check(SAME_SEED, WITHIN)
        return writer.finish()


def _grids(sources: list[Source]) -> dict[str, dict[str, Any]]:
    """What is said of the times of each split that has rows. Raises DataError if two say different things."""
    grids = {}
    for split in SPLITS:
        having = [source for source in sources if split in source.firsts]
        for other in having[1:]:
            _check_times(having[0], other, split)
        if having:
            grids[split] = having[0].grid_of(split)
    return grids


def _check_alike(first: Source, other: Source) -> None:
    """Raises DataError that names the first thing in which two datasets differ."""
    for what, key in (("states", "states"), ("equations", "equations"), ("unit of time", "time_unit")):
        _compare(first, other, what, *(source.manifest.system.get(key) for source in (first, other)))
    _compare(first, other, "units", *(dict(source.first.units) for source in (first, other)))
    _compare(first, other, "parameters", *(sorted(source.first.parameters) for source in (first, other)))
    _compare(
        first, other, "dtypes", *(source.manifest.config["dataset"]["dtype"] for source in (first, other))
    )
    _compare(
        first,
        other,
        "observations",
        *(source.manifest.config.get("observation") for source in (first, other)),
    )
    _compare(first, other, "variables", *(_kept(source) for source in (first, other)))
    resampling = (source.manifest.config["grid"].get("resample") for source in (first, other))
    _compare(first, other, "resampling", *resampling)


def _kept(source: Source) -> list[str]:
    """Names of what its config keeps beside the states."""
    try:
        return sorted(observed(source.manifest.config).kept)
    except FormatError as error:
        raise FormatError(f"{shown(source.path)}: {error}; see `trajstore verify`") from None


def _check_times(first: Source, other: Source, split: str) -> None:
    """Raises DataError that names the first thing in which the times of a split's rows differ."""
    told, others = _told(first, split), _told(other, split)
    for what in told:
        _compare(first, other, what, told[what], others[what], where=f" in {split}")


def _told(source: Source, split: str) -> dict[str, Any]:
    """What is said of the times of a split's rows, by what it is."""
    try:
        grid = source.grid_of(split)
        told: dict[str, Any] = {"initial times": initial_time(grid)}
        if set(_kept(source)) & set(DIAGNOSTICS):
            # They would not mean the same in all rows.
            told["durations of diagnostics"] = diagnosed(grid)
        return {**told, "time grids": source.firsts[split].time.tolist()}
    except FormatError as error:
        raise FormatError(f"{shown(source.path)}: {error}; see `trajstore verify`") from None


def _compare(first: Source, other: Source, what: str, mine: Any, theirs: Any, *, where: str = "") -> None:
    if mine != theirs:
        got, expected = _two(theirs, mine)
        raise DataError(
            f"{shown(other.path)}: its {what} differ from those of {shown(first.path)}{where}: {got}, expected "
            f"{expected}; only datasets of one kind can be merged (see `trajstore select` for grids)"
        )


def _two(got: Any, expected: Any) -> tuple[str, str]:
    """Two values that differ, as a message has them; of long lists of numbers what tells them apart."""
    both = (got, expected)
    if not all(isinstance(one, list) and len(one) > LISTED and isinstance(one[0], float) for one in both):
        return f"{got!r:.{SHOWN}}", f"{expected!r:.{SHOWN}}"
    ends = [f"{len(one)} from {one[0]!r} to {one[-1]!r}" for one in both]
    if ends[0] == ends[1]:
        at = next(number for number, (one, other) in enumerate(zip(*both, strict=True)) if one != other)
        return f"{got[at]!r} at number {at} of {len(got)}", f"{expected[at]!r} there"
    return ends[0], ends[1]


def _joint_system(sources: list[Source]) -> dict[str, Any]:
    """The first dataset's system, with a box of initial states around those of all.

    A parameter that differs from dataset to dataset has no value here.
    """
    system = dict(sources[0].manifest.system)
    try:
        described = [source.manifest.system["parameters"] for source in sources]
        system["parameters"] = {
            name: parameter
            if all(other[name] == parameter for other in described)
            # Each row has its own.
            else {key: parameter[key] for key in ("unit", "meaning") if key in parameter}
            for name, parameter in described[0].items()
        }
        boxes = [box for source in sources if (box := source.manifest.system.get("initial_state"))]
        if len(boxes) == len(sources):
            system["initial_state"] = {
                state: [min(box[state][0] for box in boxes), max(box[state][1] for box in boxes)]
                for state in system["states"]
            }
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"the system of {sources[0].path} or another is not described as usual: {error!r}"
        ) from None
    return system


def _loosest_engine(sources: list[Source]) -> dict[str, Any]:
    """The integrator with the largest tolerance, of the earliest revision: what holds for its rows holds for all."""

    def tolerance(engine: dict[str, Any]) -> float:
        stated = engine.get("tolerance")
        return stated if isinstance(stated, int | float) else 0.0

    engine = dict(max((source.engine for source in sources), key=tolerance))
    revision = min(revision_of(source.engine) for source in sources)
    return engine | {"revision": revision} if "revision" in engine else engine


def _note(trajectories: Trajectories, shard: Shard, source: Source, number: int, split: str) -> None:
    """Take in the rows of a shard. Those with gaps hold NaN alone: nothing tells two of them apart."""
    names = sorted(shard.parameters)
    known = [row for row, status in enumerate(shard.status) if status != Status.MISSING]
    numbers = shard.trajectory[known]
    trajectories.add(
        (
            (shard.state[row], shard.initial_state[row], *(shard.parameters[name][row] for name in names))
            for row in known
        ),
        lambda row: f"row {numbers[row]} of {split} in {shown(source.path)}",
        number,
    )
