"""Datasets of one kind -> one dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....data.base.errors import DataError, FormatError
from ....data.folder.manifest import Manifest
from ....data.folder.stated_grid import diagnosed, initial_time
from ....data.folder.stated_observation import observed
from ....data.shard.schema import DIAGNOSTICS, SPLITS, Status
from ....data.shard.shard import Shard
from ...dynamics.engines.base.engine import revision_of
from ..writer import DatasetWriter, new_folder
from .duplicates import Trajectories
from .source import Source, with_origin

SHOWN = 80
SAME_SEED = "Were they made with the same seed? Choose other rows with `trajstore select`."
WITHIN = "That dataset has it twice by itself: choose some of its rows with `trajstore select`."


def merge(paths: Sequence[str | Path], out: str | Path) -> Manifest:
    """Write the rows of several datasets, split by split in the order given, to a new folder.

    They must have the same equations, names, grid and dtype. Values of parameters, seeds and ranges of initial
    states may differ. A trajectory that occurs twice is an error, for it could lie in two splits.

    Args:
        paths: Dataset folders or shards.
        out: The folder, which must be new or empty.

    Returns:
        The manifest of the new dataset.

    Raises:
        FormatError: A path is no dataset.
        DataError: They do not go together.
    """
    sources = [Source.open(Path(path)) for path in paths]
    for other in sources[1:]:
        _check_alike(sources[0], other)
    config = {
        **sources[0].recipe,
        "derived": {
            "operation": "merge",
            "arguments": {},
            "sources": [source.provenance() for source in sources],
        },
    }
    config["system"] = _joint_system(sources)
    starts = [source.manifest.config.get("initial_states") for source in sources]
    if any(other != starts[0] for other in starts):
        # Each source says how its own were drawn.
        config.pop("initial_states", None)
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
    told, others = _told(first), _told(other)
    for what in told:
        _compare(first, other, what, told[what], others[what])
    _compare(first, other, "time grids", *(source.first.time.tolist() for source in (first, other)))


def _told(source: Source) -> dict[str, Any]:
    """What its config says of variables and times, by what it is; of the same variables the same."""
    config = source.manifest.config
    try:
        kept, grid = sorted(observed(config).kept), config["grid"]
        told = {"variables": kept, "resampling": grid.get("resample"), "initial times": initial_time(grid)}
        if set(kept) & set(DIAGNOSTICS):
            # They would not mean the same in all rows.
            told["durations of diagnostics"] = diagnosed(grid)
        return told
    except FormatError as error:
        raise FormatError(f"{source.path}: {error}; see `trajstore verify`") from None


def _compare(first: Source, other: Source, what: str, mine: Any, theirs: Any) -> None:
    if mine != theirs:
        raise DataError(
            f"{other.path}: its {what} differ from those of {first.path}: {theirs!r:.{SHOWN}}, expected "
            f"{mine!r:.{SHOWN}}; only datasets of one kind can be merged (see `trajstore select` for grids)"
        )


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
        lambda row: f"row {numbers[row]} of {split} in {source.path}",
        number,
    )
