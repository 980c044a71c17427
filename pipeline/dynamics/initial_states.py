"""How initial states are drawn: rows of a box, a cloud, a shell, an attractor, a file, or near-circular orbits."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ...data.base.errors import TrajstoreError
from ...data.base.hashing import array_hash
from ...data.base.section import Section
from ...data.base.suggestions import did_you_mean
from .durations import Duration, in_time
from .parameters import Range
from .random_rows import INITIAL_STATES, standard_normal, uniform_rows
from .systems import System

Kind = Literal["box", "normal", "shell", "attractor", "file", "two-body", "three-body"]
# Keys that each kind takes beside the system's own box.
KEYS: dict[str, tuple[str, ...]] = {
    "box": (),
    "normal": ("mean", "std"),
    "shell": ("mean", "radius", "uniform"),
    "attractor": ("transient",),
    "file": ("path", "sha256"),
    "two-body": ("rotation",),
    "three-body": (),
}
Named = dict[str, float]


class InitialStates(Section):
    """The section [initial_states]: how initial states are drawn.

    A section `[initial_states_by_split.test]`, or of another split, has the same keys and stands in its place for the
    rows of that split.

    Attributes:
        kind: One of "box": uniform in the system's ranges; "normal": around `mean` with deviations `std`, by
            default the middle and half the width of the ranges; "shell": in a random direction from `mean`, 0 by
            default, at a distance within `radius`; "attractor": uniform in the ranges, then integrated over a
            `transient` that is dropped; "file": rows of a file, first those of the train split, then of
            validation and test, without splits that have a section of their own; "two-body", "three-body": the
            near-circular orbits of Greydanus et al. 2019 for the systems of these names.
        mean, std: By name of the state, in its units.
        radius: [low, high], as [0.1, 1.0] of the spring and [1.3, 2.3] of the pendulum of Greydanus et al. 2019,
            arXiv:1906.01563.
        uniform: Whether the distance is uniform in "radius", or in "volume", which fills a ball or an annulus
            evenly.
        rotation: Of "two-body", "clockwise", unless it is said otherwise, or "counterclockwise", as in the paper.
        transient: In units of time, or { periods = 10.0 } of the system's natural period.
        path: A NumPy array (rows, components), or CSV with a header.
        sha256: The hash that its numbers must have.
    """

    kind: Kind = "box"
    mean: Named | None = None
    std: Named | None = None
    radius: Range | None = None
    uniform: Literal["radius", "volume"] | None = None
    transient: Duration | None = None
    rotation: Literal["clockwise", "counterclockwise"] | None = None
    path: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> Self:
        given = [key for key in self.model_fields_set - {"kind"} if getattr(self, key) is not None]
        wrong = sorted(set(given) - set(KEYS[self.kind]))
        if wrong:
            raise ValueError(
                f'kind "{self.kind}" has no {", ".join(wrong)}; it has {", ".join(KEYS[self.kind]) or "no keys"}'
            )
        for kind, key in (("shell", "radius"), ("attractor", "transient"), ("file", "path")):
            if self.kind == kind and getattr(self, key) is None:
                raise ValueError(f'kind "{kind}" needs {key}')
        if self.radius is not None and not 0 <= self.radius[0] <= self.radius[1]:
            raise ValueError(f"radius {self.radius}: expected 0 <= low <= high")
        if self.std is not None and min(self.std.values(), default=0.0) < 0:
            raise ValueError("std: expected no number below 0")
        return self

    @cached_property
    def table(self) -> np.ndarray:
        """The rows of the file, (N, D) float64. Raises TrajstoreError if it holds no such array."""
        path = Path(self.path or "")
        try:
            if path.suffix == ".npy":
                rows = np.load(path, allow_pickle=False)
            else:
                rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8-sig")
        except (OSError, ValueError, EOFError) as error:
            raise TrajstoreError(f"path: {path}: cannot be read ({error})") from None
        if rows.ndim != 2 or rows.dtype.kind not in "iuf" or not np.isfinite(rows).all():
            raise TrajstoreError(
                f"path: {path}: has shape {rows.shape} and dtype {rows.dtype}, expected finite "
                "numbers (rows, components)"
            )
        return rows.astype(np.float64)

    @cached_property
    def columns(self) -> list[str] | None:
        """Names in the header of a CSV file; an array has none."""
        path = Path(self.path or "")
        if path.suffix == ".npy":
            return None
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return [name.strip() for name in file.readline().split(",")]

    def check(self, system: System, rows: int, name: str = "initial_states") -> None:
        """Raises TrajstoreError, with this name of the section, if it does not go with the system, or lacks rows."""
        try:
            self._check(system, rows)
        except TrajstoreError as error:
            raise TrajstoreError(f"{name}.{error}") from None

    def _check(self, system: System, rows: int) -> None:
        for key in ("mean", "std"):
            for name in getattr(self, key) or {}:
                if name not in system.states:
                    raise TrajstoreError(
                        f"{key}.{name}: no such state; there are {', '.join(system.states)}."
                        + did_you_mean(name, system.states)
                    )
        if self.kind in ("normal", "shell") and system.spatial:
            raise TrajstoreError(
                f'kind: "{self.kind}" draws each point by itself, which makes no smooth field of '
                f'{system.name}; use "box", "attractor" or "file"'
            )
        if self.kind in ("two-body", "three-body") and system.name != self.kind:
            raise TrajstoreError(f'kind: "{self.kind}" is for the system of that name, not {system.name}')
        self.transient_of(system)
        self._check_file(system, rows)

    def _check_file(self, system: System, rows: int) -> None:
        if self.kind != "file":
            return
        if self.columns is not None and self.columns != list(system.states):
            raise TrajstoreError(
                f"path: {self.path}: its header is {', '.join(self.columns)}, expected "
                f"{','.join(system.states)}: the names of the states, in their order"
            )
        if self.sha256 not in (None, array_hash(self.table)):
            raise TrajstoreError(
                f"sha256: the numbers of {self.path} have the hash {array_hash(self.table)}, expected "
                f"{self.sha256}; is it the right file?"
            )
        if self.table.shape != (max(rows, len(self.table)), len(system.states)):
            raise TrajstoreError(
                f"path: {self.path}: has shape {self.table.shape}, expected ({rows} or more, "
                f"{len(system.states)})"
            )

    def transient_of(self, system: System) -> float | None:
        """In units of time, if there is one. Raises TrajstoreError if it is in periods that the system lacks."""
        if self.transient is None:
            return None
        return in_time(self.transient, system.period, "transient")

    def to_dict(self, system: System, before: Mapping[str, int]) -> dict[str, Any]:
        """JSON-ready; a file is known by its content, not by its path, and by which rows go to which split.

        before  for each split that shares a file the rows in those before it; none of the section of one split
        """
        described = self.model_dump(exclude_none=True)
        if self.transient is not None:
            described["transient"] = self.transient_of(system)
        if self.kind == "file":
            described |= {
                "path": Path(self.path or "").name,
                "sha256": array_hash(self.table),
                **({"first_rows": dict(before)} if before else {}),
            }
        return described

    def rows(
        self, system: System, seed: int, split: str, start: int, stop: int, before: int = 0
    ) -> np.ndarray:
        """Initial states of rows start to stop of a split, (n, D) float64, before any transient.

        before  rows in the splits before this one, for a file

        Row i is a function of (seed, split, i) and nothing else.
        """
        return system.representable(self._rows(system, seed, split, start, stop, before))

    def _rows(self, system: System, seed: int, split: str, start: int, stop: int, before: int) -> np.ndarray:
        if self.kind == "file":
            return self.table[before + start : before + stop]
        if self.kind in ("box", "attractor"):
            numbers = uniform_rows(seed, split, INITIAL_STATES, start, stop, system.start_numbers)
            return system.starts_from(numbers)
        size = len(system.states)
        columns = COLUMNS.get(self.kind, size + (self.kind == "shell"))
        numbers = uniform_rows(seed, split, INITIAL_STATES, start, stop, columns)
        if self.kind in ORBITS:
            return ORBITS[self.kind](numbers, self.rotation == "counterclockwise")
        if self.kind == "shell":
            return self._named(system, self.mean, np.zeros(size)) + self._shell(numbers)
        low, high = np.array(list(system.initial_state.values()), dtype=np.float64).T
        mean = self._named(system, self.mean, (low + high) / 2)
        return mean + self._named(system, self.std, (high - low) / 2) * standard_normal(numbers)

    def _shell(self, numbers: np.ndarray) -> np.ndarray:
        direction = standard_normal(numbers[:, :-1])
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        low, high = self.radius or (0.0, 1.0)
        power = direction.shape[1] if self.uniform == "volume" else 1
        radius = (low**power + (high**power - low**power) * numbers[:, -1:]) ** (1 / power)
        return radius * direction

    @staticmethod
    def _named(system: System, given: Named | None, usual: Sequence[float] | np.ndarray) -> np.ndarray:
        given = given or {}
        return np.array([given.get(name, value) for name, value in zip(system.states, usual, strict=True)])


def _two_bodies(numbers: np.ndarray, counterclockwise: bool) -> np.ndarray:
    """Opposite each other on an almost circular orbit, (n, 8): a place in [0.5, 1.5]^2, the speed off by 5 %."""
    x, y = 0.5 + numbers[:, 0], 0.5 + numbers[:, 1]
    speed = (1 + 0.05 * standard_normal(numbers[:, 2])) / (2 * np.hypot(x, y) ** 1.5)
    speed = -speed if counterclockwise else speed
    vx, vy = y * speed, -x * speed
    return np.stack([x, -x, y, -y, vx, -vx, vy, -vy], axis=1)


def _three_bodies(numbers: np.ndarray, _: bool) -> np.ndarray:
    """At the corners of a triangle that almost turns as a whole, (n, 12): each velocity off by up to 20 %."""
    angle = 2 * np.pi * numbers[:, :1] + np.arange(3) * 2 * np.pi / 3
    radius = 0.9 + 0.3 * numbers[:, 1:2]
    # At distance r from the centre the two others pull with 1/(sqrt(3) r^2).
    speed = 3**-0.25 / np.sqrt(radius)
    off = 1 + 0.2 * (2 * numbers[:, 2:8] - 1)
    vx, vy = -speed * np.sin(angle) * off[:, :3], speed * np.cos(angle) * off[:, 3:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle), vx, vy], axis=1)


ORBITS: dict[str, Callable[[np.ndarray, bool], np.ndarray]] = {
    "two-body": _two_bodies,
    "three-body": _three_bodies,
}
# Uniform numbers that a row takes, where it is not one a component.
COLUMNS = {"two-body": 3, "three-body": 8}
