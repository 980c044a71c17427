"""Lyapunov exponents: how fast neighbours of a trajectory part, by the variational equations.

Benettin, Galgani, Giorgilli, Strelcyn (1980), Lyapunov characteristic exponents for smooth dynamical systems,
doi:10.1007/BF02128236.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ...data.base.errors import TrajstoreError
from ...data.shard.schema import Status
from .engines import Engine, EngineSettings, make_engine
from .engines.base.scales import apart
from .initial_states import InitialStates
from .systems import System
from .systems.delay import DelaySystem
from .systems.expressions import to_text
from .systems.naming import InvalidSystemError
from .systems.system import MAX_NAMES

# Between two orthonormalisations, in periods; less where tangent vectors all but lose their independence. A row that
# needs less than the shortest is on its way to infinity, and given up.
SEGMENT, SHORTEST = 0.5, 0.5 / 256
# The least ratio of the sides of the box that they span, and where it may be less often again.
THINNEST, THIN = 1e-9, 1e-4
# Beyond, a tangent vector has grown along a state that diverges.
LARGEST = 1e100
# Of a segment.
MAX_STEPS = 20_000
# Of the past of a delay equation.
PAST_SAMPLES = 128


@dataclass(frozen=True)
class Spectrum:
    """Lyapunov exponents, largest first, by unit of time.

    exponents  (K,), means over the rows
    errors     (K,), standard errors of these means; NaN of one row
    rows       how many stayed finite to the end
    duration   of each row, after the transient
    """

    exponents: np.ndarray
    errors: np.ndarray
    rows: int
    duration: float

    @classmethod
    def of(cls, growth: np.ndarray, duration: float) -> Self:
        """From the exponents (N, K) of each row, in any order."""
        rows, count = growth.shape
        errors = growth.std(axis=0, ddof=1) / np.sqrt(rows) if rows > 1 else np.full(count, np.nan)
        means = growth.mean(axis=0)
        order = np.argsort(-means, kind="stable")
        return cls(means[order], errors[order], rows, duration)

    @property
    def dimension(self) -> float | None:
        """Kaplan and Yorke's dimension of the attractor; None if the exponents given do not tell."""
        sums = np.cumsum(self.exponents)
        negative = np.flatnonzero(sums < 0)
        if not len(negative):
            return None
        whole = int(negative[0])
        return float(whole + sums[whole - 1] / -self.exponents[whole]) if whole else 0.0

    def to_dict(self) -> dict[str, Any]:
        """What `trajstore systems --lyapunov --json` gives, but for the name."""
        return {
            "exponents": self.exponents.tolist(),
            "standard_errors": self.errors.tolist(),
            "kaplan_yorke_dimension": self.dimension,
            "rows": self.rows,
            "duration": self.duration,
        }


def spectrum(
    system: System,
    exponents: int | None = None,
    *,
    rows: int = 16,
    periods: float = 1000.0,
    transient: float = 50.0,
    seed: int = 0,
) -> Spectrum:
    """The largest Lyapunov exponents of a system at its own parameters.

    exponents  how many; None is all, or as many as the size of the equations allows
    rows       trajectories, from the default box of initial states
    periods    that each is followed for, after a `transient` in periods that is dropped

    Tangent vectors are integrated beside the state and made orthonormal again twice a period or more often.
    Raises TrajstoreError if the system has no period, a parameter without a value, no row that stays finite,
    or equations too large for so many exponents.
    """
    period, count = _period(system), _count(system, exponents)
    if isinstance(system, DelaySystem):
        return _growth(system, rows, periods * period, transient * period, seed)
    size, parameters = len(system.states), system.default_rows(rows)
    states = InitialStates().rows(system, seed, "train", 0, rows)
    engine = make_engine(
        variational(system, count),
        EngineSettings(max_steps=MAX_STEPS),
        rows=rows,
        by_component=bool(apart(np.abs(states).max(axis=0)[None]).any()),
    )
    tangents = _orthonormal(np.random.default_rng(seed).standard_normal((rows, size, count)))[0]

    segment, shortest, longest = (part * period for part in (SEGMENT, SHORTEST, SEGMENT))
    begin, end = transient * period, (transient + periods) * period
    time, sums, duration = 0.0, np.zeros((rows, count)), 0.0
    while time < end:
        sound, last, grown = _carry(engine, states, tangents, parameters, time, time + segment)
        frame, sides = _orthonormal(grown)
        thickness = sides.min(axis=1) / sides.max(axis=1)
        thick = thickness >= THINNEST
        if not thick.all() and segment > shortest:
            segment /= 2
            continue
        sound[sound] = thick
        if not sound.any():
            raise TrajstoreError(f"system {system.name!r}: no row stays finite up to t = {time + segment:g}")
        states, tangents, sides, sums = last[thick], frame[thick], sides[thick], sums[sound]
        if time >= begin:
            sums += np.log(sides)
            duration += segment
        time += segment
        if thickness[thick].min() > THIN:
            segment = min(2 * segment, longest)
    return Spectrum.of(sums / duration, duration)


def _period(system: System) -> float:
    """Of a system that can be followed by itself: its parameters have values."""
    if system.period is None:
        raise TrajstoreError(f"system {system.name!r} has no period to measure time by")
    missing = [
        name for name, value in zip(system.parameters, system.defaults, strict=True) if np.isnan(value)
    ]
    if missing:
        raise TrajstoreError(
            f"parameters {', '.join(missing)} have no value of their own; give each a number"
        )
    return system.period


def _count(system: System, exponents: int | None) -> int:
    """How many exponents to measure."""
    most = min(len(system.states), most_exponents(system))
    count = most if exponents is None else exponents
    if not 1 <= count <= most:
        raise TrajstoreError(f"{count} exponents of {system.name!r}: expected 1 to {most}")
    return count


def _carry(
    engine: Engine, states: np.ndarray, tangents: np.ndarray, parameters: np.ndarray, begin: float, end: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (N, D) and tangents (N, D, K) to another time: which rows are sound, and theirs at the end.

    Of the parameters, which are the same in all rows, the first are taken.
    """
    size, vectors = tangents.shape[1:]
    # A vector's components follow each other.
    packed = np.concatenate([states, tangents.transpose(0, 2, 1).reshape(len(states), -1)], axis=1)
    solution = engine.solve(packed, parameters[: len(packed)], np.array([begin, end]))
    last = solution.states[:, -1]
    sound = (solution.status == Status.OK) & (np.abs(last).max(axis=1) < LARGEST)
    last = last[sound]
    return sound, last[:, :size], last[:, size:].reshape(-1, vectors, size).transpose(0, 2, 1)


def _growth(system: DelaySystem, rows: int, duration: float, transient: float, seed: int) -> Spectrum:
    """The largest exponent of a delay equation: how fast the past of a tangent vector grows.

    Its size is the root mean square over the longest delay, which is what the future depends on: Farmer (1982),
    Chaotic attractors of an infinite-dimensional dynamical system, doi:10.1016/0167-2789(82)90042-2.
    """
    # It needs SciPy, which takes longer to load than most commands to do what they are asked.
    from .engines.delay.collocation import CollocationEngine

    size = len(system.states)
    states = InitialStates().rows(system, seed, "train", 0, rows)
    tangents = _orthonormal(np.random.default_rng(seed).standard_normal((rows, size, 1)))[0][..., 0]
    parameters = system.default_rows(rows)
    longest = float(system.delay_values(parameters).max())
    past = longest * np.linspace(-1.0, 0.0, PAST_SAMPLES)
    segment = max(SEGMENT * (system.period or longest), longest)
    before, after = (math.ceil(part / segment) for part in (transient, duration))
    engine, starts = CollocationEngine(variational(system, 1)), np.concatenate([states, tangents], axis=1)
    march = engine.march(starts, parameters, 0.0, (before + after) * segment, by_component=True)
    sums, sound = np.zeros(rows), np.arange(rows)
    for number in range(before + after):
        end = (number + 1) * segment
        while march.step(end) is not None:
            pass
        sound = np.flatnonzero(march.status == Status.OK)
        if not len(sound):
            raise TrajstoreError(f"system {system.name!r}: no row stays finite up to t = {end:g}")
        times = np.tile(end + past, (rows, 1))[sound]
        values = [march.history.at(sound, size + component, times) for component in range(size)]
        grown = np.ones(rows)
        grown[sound] = np.sqrt(np.mean(np.square(values), axis=(0, 2)))
        march.rescale(slice(size, None), 1 / grown)
        if number >= before:
            sums += np.log(grown)
    duration = after * segment
    return Spectrum.of(sums[sound, None] / duration, duration)


def most_exponents(system: System) -> int:
    """How many tangent vectors find room in one system with the state; of a delay equation the largest alone."""
    if system.retarded:
        return 1
    return (MAX_NAMES - len(system.parameters)) // len(system.states) - 1


def variational(system: System, vectors: int) -> System:
    """The system with tangent vectors v' = J(x) v beside it: the state, then the first vector, and so on.

    Raises InvalidSystemError if the equations become too large, or jump: there tangent vectors would jump, too.
    """
    if not system.continuous:
        raise InvalidSystemError(
            f"system {system.name!r:.80} has jumps, over which no variational equation carries a tangent vector"
        )
    taken = {*system.states, *system.parameters}
    prefix = "d"
    while any(name.startswith(prefix) for name in taken):
        prefix += "d"
    equations = dict(system.equations)
    for number in range(vectors):
        names = [f"{prefix}{number}_{index}" for index in range(len(system.states))]
        equations |= {name: to_text(slope) for name, slope in zip(names, system.tangent(names), strict=True)}
    boxes = {**dict.fromkeys(equations, (0.0, 0.0)), **system.initial_state}
    return replace(system, equations=equations, initial_state=boxes, hamiltonian=None)


def _orthonormal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, D, K) -> an orthonormal frame of the same shape, and the sides (N, K) of the box that they span."""
    frame, triangle = np.linalg.qr(vectors)
    return frame, np.abs(np.diagonal(triangle, axis1=1, axis2=2))
