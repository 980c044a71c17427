"""Datasets of one kind -> one dataset."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ...data.errors import DataError
from ...data.format import SPLITS
from ...data.manifest import Manifest
from ...data.shard import Shard
from .source import Source, origin
from .writer import DatasetWriter, new_folder

SHOWN = 80


def merge(paths: Sequence[Path], out: Path) -> Manifest:
    """Write the rows of several datasets, split by split in the order given, to a new folder.

    They must have the same equations, names, grid and dtype; values of parameters, seeds and boxes of initial
    states may differ. A trajectory that occurs twice is an error, for it could lie in two splits. Raises
    FormatError if a path is no dataset, DataError if they do not go together.
    """
    sources = [Source.open(path) for path in paths]
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
    trajectories = _Trajectories()
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, config, _loosest_engine(sources))
        for split in SPLITS:
            for number, source in enumerate(sources):
                for shard in source.shards(split):
                    trajectories.add(shard, source, split)
                    writer.add(
                        split, replace(shard, origin=origin(len(shard.status), number, shard.trajectory))
                    )
        trajectories.check()
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
    for what, key in (("resampling", "resample"), ("initial times", "initial_time")):
        _compare(first, other, what, *(source.manifest.config["grid"].get(key) for source in (first, other)))
    _compare(first, other, "time grids", *(source.first.time.tolist() for source in (first, other)))


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
    """The integrator with the largest tolerance: what holds for its rows holds for all."""

    def tolerance(engine: dict[str, Any]) -> float:
        stated = engine.get("tolerance")
        return stated if isinstance(stated, int | float) else 0.0

    return max((source.engine for source in sources), key=tolerance)


class _Trajectories:
    """All trajectories so far, each as a hash of 128 bits, to find one that occurs twice."""

    def __init__(self) -> None:
        self._digests: list[np.ndarray] = []
        self._places: list[tuple[Path, str, np.ndarray]] = []

    def add(self, shard: Shard, source: Source, split: str) -> None:
        names = sorted(shard.parameters)
        digests = []
        for row in range(len(shard.status)):
            digest = blake2b(shard.state[row].tobytes(), digest_size=16)
            digest.update(shard.initial_state[row].tobytes())
            for name in names:
                digest.update(shard.parameters[name][row].tobytes())
            digests.append(digest.digest())
        self._digests.append(np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2))
        self._places.append((source.path, split, shard.trajectory))

    def check(self) -> None:
        """Raises DataError if a trajectory occurs twice."""
        digests = np.concatenate(self._digests)
        order = np.lexsort(digests.T)
        same = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
        if same.any():
            at = int(np.argmax(same))
            one, other = (self._where(int(row)) for row in sorted(order[at : at + 2]))
            raise DataError(
                f"{int(same.sum()):,} trajectories occur twice: {other} is {one} again. One could lie in two "
                "splits. Were they made with the same seed? Choose other rows with `trajstore select`."
            )

    def _where(self, row: int) -> str:
        for path, split, numbers in self._places:
            if row < len(numbers):
                return f"row {numbers[row]} of {split} in {path}"
            row -= len(numbers)
        raise IndexError(row)
