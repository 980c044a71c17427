"""Free runs: a few rollouts that are much longer than others, for statistics of the attractor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from .judging import Judging
from .metrics.metric import Batch
from .metrics.spectrum import spectrum
from .movement import varies
from .rollouts import Group, integrated

# How many there are, of what is judged and of the truth.
RUNS = 4
# This part of each, at its beginning, is on its way to the attractor.
DROPPED = 0.25
# Of the states of all runs: more points are not taken, however many are asked for.
MOST_BYTES = 256 << 20
# Points of history with which a run goes on, where its exponent is measured.
HISTORY = 100
# Of a run, in figures.
SHOWN_POINTS = 20_000


@dataclass(frozen=True)
class FreeRuns:
    """The true ones, and from where others begin.

    Attributes:
        groups: Of starts, with what truly follows.
        dropped: Points at the beginning of each that do not count.
        points: That do.
    """

    groups: list[Group]
    dropped: int
    points: int

    @classmethod
    def of(cls, judging: Judging, points: int) -> Self | None:
        """Of so many points each, or of fewer, where rows that were measured are shorter or memory is short.

        None where there are none at all.
        """
        width = max(1, len(judging.test.components))
        points = min(points, MOST_BYTES // (8 * width * RUNS))
        plan = judging.plan_free(RUNS, max(1, round(points / (1 - DROPPED)) - 1))
        if plan is None:
            return None
        groups = list(plan.groups(judging.test, judging.truth))
        dropped = round(DROPPED * (plan.steps + 1))
        return cls(groups, dropped, plan.steps + 1 - dropped) if groups else None

    @property
    def starts(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    @cached_property
    def true(self) -> np.ndarray:
        """(R, T, D) without their beginning."""
        return np.concatenate([group.true[:, self.dropped :] for group in self.groups])

    @cached_property
    def parameters(self) -> np.ndarray:
        """(R, P) of the system."""
        return np.concatenate([group.parameters for group in self.groups])

    def followed(self, follow: Callable[[Group], np.ndarray]) -> np.ndarray:
        """(R, T, D) of who goes on from the same histories, without the beginning."""
        return np.concatenate([follow(group)[:, self.dropped :] for group in self.groups])

    @property
    def vary(self) -> bool:
        """Whether rows have other parameters, and so attractors of their own."""
        return varies(self.parameters)

    def together(self, predicted: np.ndarray) -> Batch:
        """Each run (R, T, D) beside a true one, or where all have one attractor, all as one beside all true ones."""
        true, parameters = self.true, self.parameters
        if self.vary:
            return Batch(true, predicted, parameters=parameters)
        pooled = (runs.reshape(1, -1, runs.shape[2]) for runs in (true, predicted))
        return Batch(*pooled, parameters=parameters[:1])

    def pairs(self, predicted: np.ndarray) -> Iterator[Batch]:
        """Each run (R, T, D) beside each true one, or beside its own alone, where parameters vary."""
        for shift in range(1 if self.vary else len(self.true)):
            yield Batch(np.roll(self.true, shift, axis=0), predicted, parameters=self.parameters)

    def true_pairs(self, judging: Judging) -> Iterator[Batch]:
        """True runs beside each other, but not beside themselves; where parameters vary, beside what follows on each,
        which is another true trajectory of the same parameters and length.
        """
        if self.vary:
            yield from self._followed_by(judging)
            return
        for shift in range(1, len(self.true)):
            yield Batch(np.roll(self.true, shift, axis=0), self.true, parameters=self.parameters)

    def _followed_by(self, judging: Judging) -> Iterator[Batch]:
        truth, found = judging.truth, []
        if truth is None:
            return
        after = self.dropped + self.points + np.arange(self.points)
        for group in self.groups:
            points = group.begins[:, None] + after
            states, sound = integrated(truth, judging.test.time, group.rows, points)
            true = group.true[sound, self.dropped :]
            found.append((true, states[..., truth.observed], group.parameters[sound]))
        true, later, parameters = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if len(true):
            yield Batch(true, later, parameters=parameters)


def shown_of(true: np.ndarray, predicted: np.ndarray, step: float) -> dict[str, np.ndarray]:
    """For figures: the first true run and the first of what is judged, and the mean spectra of all (R, T, D)."""
    shown = slice(None, None, max(1, true.shape[1] // SHOWN_POINTS))
    arrays = {"free_true": true[0, shown], "free_predicted": predicted[0, shown]}
    for name, runs in (("true", true), ("predicted", predicted)):
        sound = runs[np.isfinite(runs).all(axis=(1, 2))]
        if len(sound):
            spectra = [spectrum(run, step) for run in sound]
            arrays["spectrum_frequency"] = spectra[0][0]
            arrays[f"spectrum_{name}"] = np.mean([power for _, power in spectra], axis=0)
    return arrays
