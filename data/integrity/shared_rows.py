"""Rows that splits share: a network is then judged by trajectories that it has learned.

What a row becomes is decided by its initial state and its parameters, whatever noise is added to what is seen of it.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..folder.manifest import Manifest
from ..folder.stated_grid import STARTS
from ..shard.schema import SPLITS, Status
from ..shard.shard import ShardRecord, read_attributes
from ..shard.structure import open_shard, parameter_names, values

# Different rows that are told apart at once, in 32 bytes each.
MOST = 1 << 20
BITS = 64
# Draws of a parameter that give no value twice, but for the odds of 53 bits; so do boxes of initial states.
DRAWN = ("uniform", "log_uniform")
# Of a range whose width is a smaller part of its larger end so few numbers are float64 that they occur twice.
NARROW = 1e-3
# Kinds of initial states that are drawn in boxes, or from random numbers without any setting.
BOX, ORBITS = "box", ("two-body", "three-body")


class SharedRows:
    """Counts the rows of each split that are rows of another one, too, in bounded memory.

    Rows are known by hashes of 64 bits. Where there are more than `most` different ones, only those are kept whose
    hash begins with some zeros, one more whenever they are too many: counts are then estimates from a part.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._zeros = most, 0
        self._hashes, self._counts = np.empty(0, np.uint64), np.empty((0, len(SPLITS)), np.int64)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, split: str, hashes: np.ndarray) -> None:
        """Take in rows of a split, by their hashes (N,) uint64."""
        counts = np.zeros((len(hashes), len(SPLITS)), np.int64)
        counts[:, SPLITS.index(split)] = 1
        self._add(hashes, counts, self._zeros)

    def merge(self, other: Self) -> None:
        """Take in all that another one has."""
        other._settle()
        self._add(other._hashes, other._counts, other._zeros)

    @property
    def exact(self) -> bool:
        self._settle()
        return self._zeros == 0

    def counts(self) -> dict[tuple[str, str], int]:
        """How many rows of a split are rows of an earlier one: (split, earlier one) -> number; none are left out."""
        self._settle()
        return {
            (SPLITS[later], SPLITS[earlier]): count << self._zeros
            for earlier, later in combinations(range(len(SPLITS)), 2)
            if (count := int(self._counts[self._counts[:, earlier] > 0, later].sum()))
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is its inverse."""
        self._settle()
        return {
            "zeros": self._zeros,
            "hashes": b64encode(self._hashes.tobytes()).decode(),
            "counts": b64encode(self._counts.tobytes()).decode(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        self = cls()
        self._zeros = int(raw["zeros"])
        self._hashes = np.frombuffer(b64decode(raw["hashes"]), np.uint64)
        self._counts = np.frombuffer(b64decode(raw["counts"]), np.int64).reshape(-1, len(SPLITS))
        return self

    def _add(self, hashes: np.ndarray, counts: np.ndarray, zeros: int) -> None:
        self._zeros = max(self._zeros, zeros)
        if self._zeros:
            looked_at = hashes < np.uint64(1 << (BITS - self._zeros))
            hashes, counts = hashes[looked_at], counts[looked_at]
        self._waiting.append((hashes, counts))
        # So seldom that no row is sorted more than a few times.
        if sum(len(some) for some, _ in self._waiting) > self._most // 2:
            self._settle()

    def _settle(self) -> None:
        """Bring together what waits with what is kept."""
        if not self._waiting:
            return
        hashes = np.concatenate([self._hashes, *(some for some, _ in self._waiting)])
        counts = np.concatenate([self._counts, *(some for _, some in self._waiting)])
        self._waiting = []
        order = np.argsort(hashes, kind="stable")
        hashes, counts = hashes[order], counts[order]
        firsts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])[: len(hashes)])
        self._hashes = hashes[firsts]
        self._counts = np.add.reduceat(counts, firsts) if len(firsts) else counts
        self._drop()
        while len(self._hashes) > self._most:
            self._zeros += 1
            self._drop()

    def _drop(self) -> None:
        if self._zeros:
            # They are sorted.
            last = int(np.searchsorted(self._hashes, np.uint64(1 << (BITS - self._zeros))))
            self._hashes, self._counts = self._hashes[:last], self._counts[:last]


def can_share(config: Mapping[str, Any]) -> bool:
    """May splits of a dataset with this config, perhaps a stranger's, share rows? Not where random numbers forbid it.

    Of what was measured nothing can be said: two runs may well begin alike.
    """
    system = config.get("system", {})
    if not isinstance(system, Mapping) or "equations" not in system:
        return False
    if config.get("derived"):
        return True
    own = config.get(STARTS)
    own = own if isinstance(own, Mapping) else {}
    boxes = any(map(_wide, _values(system.get("initial_state"))))
    # A row whose start is drawn is like no other, so two splits without draws are needed, whatever the third has.
    drawn = [_drawn(own.get(split, config.get("initial_states", {})), boxes) for split in SPLITS]
    if drawn.count(False) < 2:
        return False
    return not any(_always_drawn(parameter) for parameter in _values(system.get("parameters")))


def _drawn(starts: Any, boxes: bool) -> bool:
    """Are initial states drawn from random numbers by a section? In the system's boxes, if these are wide."""
    kind = starts.get("kind") if isinstance(starts, Mapping) and starts else BOX
    return kind in ORBITS or (kind == BOX and boxes)


def _always_drawn(parameter: Any) -> bool:
    """Is a parameter drawn from a range in every split?"""
    if not isinstance(parameter, Mapping):
        return False
    draws = [parameter.get("draw"), *_values(parameter.get("by_split"))]
    return all(isinstance(draw, Mapping) and any(_wide(draw.get(kind)) for kind in DRAWN) for draw in draws)


def _values(section: Any) -> list[Any]:
    return list(section.values()) if isinstance(section, Mapping) else []


def _wide(limits: Any) -> bool:
    sound = isinstance(limits, list) and len(limits) == 2 and all(isinstance(x, int | float) for x in limits)
    return sound and limits[1] - limits[0] > NARROW * max(map(abs, limits))


def shared_rows_of(path: Path) -> SharedRows:
    """The sound rows of one shard. Raises FormatError if it is none."""
    with open_shard(path) as file:
        sound = values(file, "status") == Status.OK
        columns = [
            values(file, "initial_state"),
            *(values(file, name) for name in sorted(parameter_names(file))),
        ]
        split = str(read_attributes(file)["split"])
    rows = SharedRows()
    rows.add(split, _hashes(np.column_stack(columns)[sound]))
    return rows


def _hashes(rows: np.ndarray) -> np.ndarray:
    """A hash (N,) uint64 of each row of numbers (N, K) float64, by the steps of splitmix64."""
    # Zero has two signs.
    words = np.ascontiguousarray(rows.T + 0.0).view(np.uint64)
    hashes = np.zeros(len(rows), np.uint64)
    for word in words:
        hashes = (hashes ^ word) + np.uint64(0x9E3779B97F4A7C15)
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes ^= hashes >> np.uint64(31)
    return hashes


def shared_rows_note(
    manifest: Manifest, read: Callable[[ShardRecord], SharedRows], shards: list[ShardRecord] | None = None
) -> str:
    """Which splits share how many rows, in a line; "" where none do.

    read    gives the rows of a shard
    shards  those that are looked at, of whose rows the line speaks; None are all of the manifest's
    """
    if (
        not can_share(manifest.config)
        or sum(bool(split.trajectories) for split in manifest.splits.values()) < 2
    ):
        return ""
    rows, sizes = SharedRows(), dict.fromkeys(map(str, SPLITS), 0)
    for record in manifest.shards if shards is None else shards:
        rows.merge(read(record))
        sizes[manifest.places[record.file][0]] += record.rows
    counts = rows.counts()
    about = "" if rows.exact else "about "
    told = []
    for split in SPLITS:
        told += [
            f"{about}{counts[split, other]:,} of {sizes[split]:,} rows of {split} are in {other}"
            for other in SPLITS
            if (split, other) in counts
        ]
    if not told:
        return ""
    some = "" if shards is None or len(shards) == len(manifest.shards) else " as far as these shards tell,"
    return f"splits share rows,{some} with the same initial state and the same parameters: {', '.join(told)}"
