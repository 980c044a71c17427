"""How far errors carry a row away, component by component: made by a solver at each step, magnified by the flow.

Errors of random signs are made all along a row, each as large as a solver may err there, and carried on by the
fastest engine as differences from a neighbour. So each component is held to its own scale, and to what errors of the
others make of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...data.shard.schema import Status
from ..dynamics.engines import Engine, EngineSettings, make_engine
from ..dynamics.engines.base.rounding import ROUNDING, Terms
from ..dynamics.systems import System

# So many errors at once; the largest counts, for one may miss what another meets. Fewer where each costs more.
SAMPLES, FEW_SAMPLES = 8, 4
# A neighbour's distance, relative to the size of each component; beyond so much it says nothing more of small errors.
NUDGE, FOLLOWED = 1e-8, 1e-3
# A neighbour may be so many times nearer, for the sake of components smaller than what is allowed beside them.
APART = 1e4
# Errors that have grown so many times hide a row; what terms add up to counts for this part of a scale.
LARGEST, WORTH = 1e5, 0.01
# Errors are made anew so many times along a row, or at each of fewer points; less often where it costs more.
BLOCKS, FEW_BLOCKS = 1_000, 8
# A row begins anew where errors are more than so many times what a solver makes at once, and large enough to matter.
BLURRED = 10.0
# Where a state rises steeply, a method errs so many times more between its steps than at their ends.
BETWEEN = 4.0
# An error that shrinks at first and then grows is no better than what only grows, for errors are made in between;
# what shrinks to less than this part of itself tells nothing of others.
SHRUNK = 0.01


@dataclass(frozen=True)
class Errors:
    """What becomes of errors along rows (K, T, S), as the multiple of a solver's tolerance; infinite if hidden.

    size      (K, T, S) the largest of the samples
    scale     (K, T, S) the largest |x| of each component so far, of a field of all of them
    unit      (K, T, S) the size of an error that is made there: of the scale, of what rounding of the terms of its
              equation comes to, or of what is allowed beside
    samples   (M, K, T, S), with signs; None unless asked for
    restarts  by row, the points at which it is followed from the stored state
    """

    size: np.ndarray
    scale: np.ndarray
    unit: np.ndarray
    samples: np.ndarray | None
    restarts: list[list[int]]

    def put(self, rows: np.ndarray, others: "Errors") -> None:
        """Others, of fewer samples perhaps, in the place of rows (n,)."""
        self.size[rows], self.scale[rows], self.unit[rows] = others.size, others.scale, others.unit
        for row, restarts in zip(rows.tolist(), others.restarts, strict=True):
            self.restarts[row] = restarts
        if self.samples is not None and others.samples is not None:
            self.samples[:, rows] = np.resize(others.samples, self.samples[:, rows].shape)


@dataclass(frozen=True)
class Promise:
    """How large a solver's errors may be, and what begins a new piece of a row.

    tolerance  a step, relative to a component's own scale, with what steps add up to
    floor      (K, S) what is allowed beside it, absolute, in units of the tolerance
    rounding   of stored states, relative to each
    visible    of the scale: as long as errors are smaller they do not matter
    """

    tolerance: float
    floor: np.ndarray
    rounding: float
    visible: float


def errors_along(
    system: System,
    starts: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    known: np.ndarray | None,
    promise: Promise,
    *,
    samples: bool = False,
) -> Errors:
    """Errors along rows that begin with states (K, S).

    known  (K, T, S) stored states, from which a row can be followed anew; NaN where it cannot; None where none can
    """
    settings = EngineSettings().resolve(system=system)
    found, handed_over = _errors(settings, system, starts, parameters, times, known, promise, samples=samples)
    if settings.name == "heyoka" and handed_over.any():
        # By itself each block would cost such a row as much as the whole of it.
        rows, slow = np.flatnonzero(handed_over), EngineSettings(name="scipy").resolve(system=system)
        past, few = None if known is None else known[rows], replace(promise, floor=promise.floor[rows])
        again, _ = _errors(slow, system, starts[rows], parameters[rows], times, past, few, samples=samples)
        found.put(rows, again)
    return found


def _errors(
    settings: EngineSettings,
    system: System,
    starts: np.ndarray,
    parameters: np.ndarray,
    times: np.ndarray,
    known: np.ndarray | None,
    promise: Promise,
    *,
    samples: bool,
) -> tuple[Errors, np.ndarray]:
    """Errors as an engine carries them, and the rows (K,) that it did not bring to an end for reasons of its own."""
    count = FEW_SAMPLES if settings.name == "scipy" or system.spatial else SAMPLES
    engine = make_engine(system, settings, beyond_branches=False)
    march = _March(system, engine, starts, parameters, promise, count)
    kept = np.empty((count, len(starts), len(times), starts.shape[1])) if samples else None
    size = np.empty((len(starts), len(times), starts.shape[1]))
    scale, unit = np.empty_like(size), np.empty_like(size)
    restarts: list[list[int]] = [[] for _ in starts]
    ends = _block_ends(len(times), system, str(settings.name))
    size[:, 0], scale[:, 0] = np.abs(march.errors).max(axis=0), march.scale
    unit[:, 0] = size[:, 0]
    if kept is not None:
        kept[:, :, 0] = march.errors
    begin = 0
    for end in ends:
        inner = slice(begin + 1, end + 1)
        errors, scale[:, inner], unit[:, inner] = march.to(times[begin : end + 1])
        size[:, inner] = np.abs(errors).max(axis=0)
        if kept is not None:
            kept[:, :, inner] = errors
        if known is not None and end < len(times) - 1:
            for row in march.restart(known[:, end]):
                restarts[row].append(end)
        begin = end
    return Errors(size, scale, unit, kept, restarts), march.handed_over


def _block_ends(points: int, system: System, engine: str) -> list[int]:
    """Last points of the blocks after which errors are made anew."""
    if points < 2:
        return []
    # A delay equation goes on from a history, and not from a state.
    most = 1 if system.retarded else FEW_BLOCKS if engine == "scipy" else BLOCKS
    return np.unique(np.linspace(0, points - 1, min(points, most + 1)).astype(np.int64))[1:].tolist()


class _March:
    """Rows and what has become of their errors, block after block.

    base    (K, S) where rows are
    errors  (M, K, S)
    scale   (K, S) the largest |x| so far
    handed_over  (K,) bool, which the engine could not follow
    """

    def __init__(
        self,
        system: System,
        engine: Engine,
        starts: np.ndarray,
        parameters: np.ndarray,
        promise: Promise,
        samples: int,
    ) -> None:
        self._system, self._engine, self._promise, self._samples = system, engine, promise, samples
        self._parameters = parameters
        self._random = np.random.default_rng(0)
        self._terms = None if system.spatial else Terms(system)
        self.base = starts.copy()
        self.scale = system.sizes(starts)
        # How far a row has come since it began anew, in parts of its size, and its terms added up until there.
        self._way = np.ones(len(starts))
        self._total = np.zeros_like(starts)
        self.errors = self._signs() * self._unit(self.scale, self._total)
        self.handed_over = np.zeros(len(starts), dtype=bool)

    def _signs(self) -> np.ndarray:
        return 2.0 * self._random.integers(0, 2, (self._samples, *self.base.shape)) - 1

    def _unit(self, scale: np.ndarray, total: np.ndarray) -> np.ndarray:
        """The size of an error, in units of the tolerance, (K, S) or (K, n, S)."""
        floor = self._promise.floor if scale.ndim == 2 else self._promise.floor[:, None]
        return np.maximum(scale, ROUNDING / self._promise.tolerance * total) + floor

    def to(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Errors (M, K, n, S), scales and units (K, n, S) at the times (n + 1,) after the first, where rows are."""
        unit = self._unit(self.scale, self._total)
        with np.errstate(all="ignore"):
            ratio = np.nanmax(np.where(unit > 0, np.abs(self.errors) / unit, 0.0), axis=(0, 2))
            # What is allowed beside a component's own scale may be larger than that.
            own = unit - self._promise.floor
            apart = np.nanmax(np.where(own > 0, np.abs(self.errors) / own, 0.0), axis=(0, 2))
            ratio = np.minimum(apart, APART * ratio)
            nudge = np.where(np.isfinite(ratio) & (ratio > 0), NUDGE / ratio, 0.0)
            moved = nudge[:, None] * np.where(np.isfinite(self.errors), self.errors, 0.0)
        packed = np.concatenate([self.base[None], self.base + moved])
        count, size = self.base.shape
        solution = self._engine.solve(
            packed.reshape(-1, size), np.tile(self._parameters, (self._samples + 1, 1)), times
        )
        states = solution.states.reshape(self._samples + 1, count, len(times), size)
        status = solution.status.reshape(self._samples + 1, count)
        failed = (status != Status.OK).any(axis=0)
        self.handed_over |= (status == Status.SOLVER_FAILED).any(axis=0)
        base = states[0]
        with np.errstate(all="ignore"):
            along = np.fmax.accumulate(self._system.sizes(base), axis=1)
            scale = np.fmax(along, self.scale[:, None])
            way, total = self._travelled(base, times, scale)
            parted = states[1:] - base
            lost = ~(np.abs(parted) <= FOLLOWED * np.maximum(scale, total[:, :] + self._total[:, None]))
            lost = np.logical_or.accumulate(lost.any(axis=(0, 3)), axis=1)
            lost |= (failed | ~np.isfinite(ratio) | ~np.isfinite(base).all(axis=(1, 2)))[:, None]
            grown = parted / np.where(nudge > 0, nudge, 1.0)[:, None, None]
            if len(times) > 2:
                grown = _since(grown, unit)
            total += self._total[:, None]
            made = np.sqrt(way * (self._way[:, None] + way))[..., None] * self._unit(scale, total)
            errors = grown + self._signs()[:, :, None] * made
            most = LARGEST * np.maximum(self._unit(scale, total), WORTH * total)
            lost |= np.logical_or.accumulate((~(np.abs(errors) <= most)).any(axis=(0, 3)), axis=1)
        errors[:, lost] = np.inf
        self.base, self.errors, self.scale = base[:, -1], errors[:, :, -1].copy(), scale[:, -1]
        self._way, self._total = self._way + way[:, -1], total[:, -1]
        # What lies between two steps has an error of its own, which goes no further.
        unit = self._unit(scale, total)
        errors += np.copysign(BETWEEN * unit, errors)
        return errors[:, :, 1:], scale[:, 1:], unit[:, 1:]

    def _travelled(
        self, base: np.ndarray, times: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How far rows (K, n, S) come, in parts of their size, (K, n); their terms, added up over time (K, n, S)."""
        steps = np.diff(times)
        moved = np.abs(np.diff(base, axis=1)) / scale[:, 1:]
        moved = np.where(np.isfinite(moved), moved, 0.0).max(axis=2)
        total = np.zeros_like(base)
        if self._terms is not None:
            slopes, terms = self._terms(times, base, self._parameters)
            speed = np.abs(slopes) / scale
            speed = np.where(np.isfinite(speed), speed, 0.0).max(axis=2)
            # At one end of a step the state may still be on its way to where it stays.
            moved = np.maximum(moved, np.minimum(speed[:, 1:], speed[:, :-1]) * steps)
            mean = np.where(np.isfinite(terms), terms, 0.0)
            total[:, 1:] = np.cumsum(np.minimum(mean[:, 1:], mean[:, :-1]) * steps[:, None], axis=1)
        way = np.zeros(base.shape[:2])
        way[:, 1:] = np.cumsum(moved, axis=1)
        return way, total

    def restart(self, known: np.ndarray) -> list[int]:
        """Go on from stored states (K, S) where there are some; rows of which errors are too large begin anew."""
        finite = np.isfinite(known).all(axis=1)
        unit = self._unit(self.scale, self._total)
        with np.errstate(all="ignore"):
            allowed = self._promise.tolerance * np.abs(self.errors).max(axis=0)
            small = np.maximum(self._promise.visible * self.scale, BLURRED * self._promise.tolerance * unit)
            far = ~(allowed <= small).all(axis=1)
        anew = np.flatnonzero(far & finite)
        self.base[finite] = known[finite]
        if len(anew):
            # Rounding is of the solver's steps, which may be longer than a piece.
            self._way[anew] = 1.0
            self.scale[anew] = np.fmax(self.scale[anew], self._system.sizes(known[anew]))
            made = self._unit(self.scale, self._total)
            made += self._promise.rounding / self._promise.tolerance * np.abs(self.base)
            self.errors[:, anew] = (self._signs() * made)[:, anew]
        return anew.tolist()


def _since(grown: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """What errors (M, K, n, S) come to that are made at any of these points, by those that were made at the first."""
    sizes = np.abs(grown)
    relative = np.where(unit[:, None] > 0, sizes / unit[:, None], 0.0).max(axis=3, keepdims=True)
    first = relative[:, :, :1]
    shrunk = np.minimum.accumulate(relative, axis=2) / np.where(first > 0, first, 1.0)
    shrunk = np.clip(np.where(np.isfinite(shrunk), shrunk, 1.0), SHRUNK, 1.0)
    return np.copysign(np.maximum.accumulate(sizes / shrunk, axis=2), grown)
