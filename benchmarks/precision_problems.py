"""The problems of work_precision.py, and their solutions to more digits than any contender has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

Field = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Problem:
    """Rows of one system along a grid.

    field       components -> slopes, in whatever numbers: NumPy's, torch's, JAX's, heyoka's expressions
    system      its name in trajstore's library, with the values of its parameters
    low, high   the box that initial states come from
    times       (T,)
    rows, few   how many rows those take that take many at once, and those that take them one by one
    known       rows whose solution is computed
    stiff       for implicit methods
    """

    name: str
    field: Field
    system: str
    parameters: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    times: np.ndarray
    rows: int = 4096
    few: int = 16
    known: int = 16
    stiff: bool = False

    def starts(self, rows: int) -> np.ndarray:
        """Initial states (rows, D); the first are always the same."""
        return np.random.default_rng(0).uniform(self.low, self.high, (rows, len(self.low)))


def van_der_pol(x: Any, v: Any) -> tuple[Any, ...]:
    return v, 0.1 * (1 - x * x) * v - x


def stiff_van_der_pol(x: Any, v: Any) -> tuple[Any, ...]:
    return v, 1000.0 * (1 - x * x) * v - x


def lorenz(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    return 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8 / 3 * z


def two_bodies(a: Any, b: Any, c: Any, d: Any, pa: Any, pb: Any, pc: Any, pd: Any) -> tuple[Any, ...]:
    x, y = b - a, d - c
    pull = (x * x + y * y) ** -1.5
    return pa, pb, pc, pd, x * pull, -x * pull, y * pull, -y * pull


_BODIES = np.array([1, -1, 0, 0, 0, 0, 0.5, -0.5])
PROBLEMS = (
    Problem(
        "van der Pol, mu = 0.1",
        van_der_pol,
        "van-der-pol",
        (0.1,),
        (-5.0, -5.0),
        (5.0, 5.0),
        np.linspace(0, 2, 21),
    ),
    Problem(
        "Lorenz, one period",
        lorenz,
        "lorenz",
        (10.0, 28.0, 8 / 3),
        (-20.0, -25.0, 0.0),
        (20.0, 25.0, 45.0),
        np.linspace(0, 0.75, 21),
    ),
    Problem(
        "two bodies, one period",
        two_bodies,
        "two-body",
        (),
        tuple(_BODIES - 0.05),
        tuple(_BODIES + 0.05),
        np.linspace(0, 4 * np.pi, 21),
    ),
    Problem(
        "van der Pol, mu = 1000",
        stiff_van_der_pol,
        "van-der-pol",
        (1000.0,),
        (1.5, 0.0),
        (2.5, 0.0),
        np.linspace(0, 1000, 21),
        rows=32,
        few=4,
        known=4,
        stiff=True,
    ),
)


def solution(problem: Problem) -> np.ndarray:
    """States (known, T, D): Taylor series in 64-bit mantissas at a tolerance of 1e-19, one row at a time."""
    import heyoka

    names = [f"x{number}" for number in range(len(problem.low))]
    variables = [heyoka.expression(name) for name in names]
    equations = list(zip(variables, problem.field(*variables), strict=True))
    long = np.longdouble
    integrator = heyoka.taylor_adaptive(
        equations, np.zeros(len(names), long), fp_type=long, tol=long("1e-19"), compact_mode=True
    )
    found = []
    for start in problem.starts(problem.known):
        integrator.time = long(problem.times[0])
        integrator.state[:] = start
        found.append(integrator.propagate_grid(problem.times.astype(long))[-1].astype(np.float64))
    return np.stack(found)


def apart(problem: Problem, states: np.ndarray, exact: np.ndarray) -> float:
    """The largest error, each component by its largest value."""
    return float((np.abs(states - exact) / np.abs(exact).max(axis=(0, 1))).max())


def checked(problem: Problem, exact: np.ndarray) -> float:
    """How far the first known row is from that of another method, SciPy's DOP853 or Radau at its best."""
    method, tolerance = ("Radau", 1e-10) if problem.stiff else ("DOP853", 1e-13)
    answer = solve_ivp(
        lambda _, state: problem.field(*state),
        (problem.times[0], problem.times[-1]),
        problem.starts(1)[0],
        method,
        problem.times,
        rtol=tolerance,
        atol=tolerance,
    )
    return apart(problem, answer.y.T[None], exact[:1])
