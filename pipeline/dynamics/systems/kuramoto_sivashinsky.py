"""The Kuramoto-Sivashinsky equation on a circle: a field, known by its values at equally spaced points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import sympy

from .naming import InvalidSystemError
from .parameter import Parameter
from .system import System

KIND = "kuramoto-sivashinsky"
EQUATIONS = {"u": "-u*u_x - u_xx - u_xxxx"}
# Of points: fewer cannot carry the modes of an initial field, more have no place in a shard.
SMALLEST, LARGEST = 16, 10_000
# Of points whose sums are written as matrices; those of more would fill the memory.
MOST_SUMMED = 2_048
# Of a random initial field.
START_MODES = 4


def resolved_modes(points: int) -> int:
    """The highest wave number that so many points carry without aliases in a product: the rule of two thirds."""
    return (points - 1) // 3


def growth_rates(length: float, modes: int) -> np.ndarray:
    """q^2 - q^4 for wave numbers 0 to `modes` on a circle of that length, (modes + 1,) float64."""
    q2 = (2 * np.pi / length * np.arange(modes + 1)) ** 2
    return q2 - q2**2


@dataclass(frozen=True)
class KuramotoSivashinsky(System):
    """u_t = -u u_x - u_xx - u_xxxx on a circle; states u1 to uN are u at x = 0, L/N, 2L/N, ...

    `equations` is text for people. What is integrated is the Galerkin system of the Fourier modes that N points
    carry, `resolved_modes`; what a field has beyond them is dropped from initial states.

    Raises InvalidSystemError if a description is not that of this equation.
    """

    kind: ClassVar[str] = KIND
    spatial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        size = len(self.initial_state)
        if not SMALLEST <= size <= LARGEST:
            raise InvalidSystemError(
                f"system {self.name!r:.80} has size {size}; expected {SMALLEST} to {LARGEST} points"
            )
        expected = dict.fromkeys(_states(size), next(iter(self.initial_state.values())))
        if (
            dict(self.initial_state) != expected
            or self.equations != EQUATIONS
            or set(self.parameters) != {"length"}
        ):
            raise InvalidSystemError(
                f"system {self.name!r:.80} is of kind {KIND!r}; expected states u1, u2, ... with one range for all, "
                f"the parameter length, and equations {EQUATIONS}"
            )
        length = self.parameters["length"].value
        if length <= 0:
            raise InvalidSystemError(f"system {self.name!r:.80}: length {length}; expected a number above 0")
        # The order of the points, however a description has them.
        object.__setattr__(self, "initial_state", expected)
        object.__setattr__(self, "_parsed", ())

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.initial_state)

    @property
    def vector_field(self) -> tuple[sympy.Expr, ...]:
        """Raises InvalidSystemError: there is no expression for each component."""
        raise InvalidSystemError(
            f"system {self.name!r:.80} is a partial differential equation, and has no expression for each state; "
            'use [engine] name = "auto", "etdrk4" or "scipy"'
        )

    @property
    def autonomous(self) -> bool:
        return True

    @property
    def start_numbers(self) -> int:
        return 2 * START_MODES

    def starts_from(self, numbers: np.ndarray) -> np.ndarray:
        """Smooth fields around the middle of the range and within it, (n, N): a few modes, alike for every N."""
        size = len(self.states)
        angle = 2 * np.pi / size * np.outer(np.arange(1, START_MODES + 1), np.arange(size))
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) / (START_MODES * np.sqrt(2))
        low, high = next(iter(self.initial_state.values()))
        fields = np.zeros((len(numbers), size))
        # No matrix product: its sums depend on how many rows there are.
        for column, wave in zip(numbers.T, waves, strict=True):
            fields += (2 * column[:, None] - 1) * wave
        return (low + high) / 2 + (high - low) / 2 * fields

    def representable(self, states: np.ndarray) -> np.ndarray:
        """Fields (n, N) without the modes that are not resolved."""
        size = len(self.states)
        spectrum = np.fft.rfft(states, axis=1)
        spectrum[:, resolved_modes(size) + 1 :] = 0
        return np.fft.irfft(spectrum, size, axis=1)

    def sizes(self, states: np.ndarray) -> np.ndarray:
        """Of components that are alike, that of the largest."""
        sizes = np.abs(states)
        return np.repeat(sizes.max(axis=-1, keepdims=True), sizes.shape[-1], axis=-1)

    def latex(self) -> list[str]:
        return [r"\partial_t u = - u \, \partial_x u - \partial_x^2 u - \partial_x^4 u"]

    @cached_property
    def _modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums in place of fast transforms, which the engine has: points to amplitudes, back, wave numbers by 2 pi/L.

        Amplitudes are those of the cosines 0 to K, then of the sines 0 to K.
        """
        size = len(self.states)
        if size > MOST_SUMMED:
            raise InvalidSystemError(
                f"system {self.name!r:.80} has {size:,} points; slopes, Jacobians and the engine scipy take up to "
                f'{MOST_SUMMED:,}, [engine] name = "etdrk4" more'
            )
        numbers = np.arange(resolved_modes(size) + 1)
        angle = 2 * np.pi / size * np.outer(np.arange(size), numbers)
        back = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        scale = np.tile(np.where(numbers == 0, 1.0, 2.0) / size, 2)
        return scale[:, None] * back.T, back, numbers

    def slopes(self, states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> np.ndarray:
        field, _ = self.numeric()
        # One by one, for sums of a matrix product depend on how many there are.
        return np.array(
            [[field(0.0, state, row) for state in path] for path, row in zip(states, parameters, strict=True)]
        )

    def numeric(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The semi-discrete system u' = f(u) at the points, and its Jacobian."""
        forward, back, numbers = self._modes

        def rates(parameters: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
            length = parameters[0]
            return np.tile(growth_rates(length, len(numbers) - 1), 2), 2 * np.pi / length * numbers

        def advected(amplitudes: np.ndarray, wavenumbers: np.ndarray) -> np.ndarray:
            """-(w)_x/2 of the amplitudes of w."""
            cosines, sines = np.split(0.5 * amplitudes, 2)
            shape = (-1,) + (1,) * (amplitudes.ndim - 1)
            q = wavenumbers.reshape(shape)
            return np.concatenate([-q * sines, q * cosines])

        def field(_time: float, state: Sequence[float], parameters: Sequence[float]) -> list[float]:
            growth, wavenumbers = rates(parameters)
            amplitudes = forward @ np.array(state)
            smooth = back @ amplitudes
            slopes = growth * amplitudes + advected(forward @ (smooth * smooth), wavenumbers)
            return (back @ slopes).tolist()

        def jacobian(_time: float, state: Sequence[float], parameters: Sequence[float]) -> np.ndarray:
            growth, wavenumbers = rates(parameters)
            smooth = back @ (forward @ np.array(state))
            change = growth[:, None] * forward + advected(
                forward @ (2 * smooth[:, None] * (back @ forward)), wavenumbers
            )
            return back @ change

        return field, jacobian


def _states(size: int) -> list[str]:
    return [f"u{point}" for point in range(1, size + 1)]


def kuramoto_sivashinsky(name: str, size: int = 64) -> KuramotoSivashinsky:
    """The equation at `size` points. Raises InvalidSystemError if they are too few or too many."""
    return KuramotoSivashinsky(
        name=name,
        equations=EQUATIONS,
        parameters={"length": Parameter(22.0, meaning="length of the circle")},
        initial_state=dict.fromkeys(_states(size), (-4.0, 4.0)),
        description="Flame fronts and thin films: long waves grow, short ones decay, and u carries itself along a "
        "circle. The states are u at equally spaced points x, subscripts of u are derivatives by x.",
        reference="Kuramoto, Tsuzuki (1976), Persistent propagation of concentration waves in dissipative media "
        "far from thermal equilibrium, doi:10.1143/PTP.55.356; Sivashinsky (1977), Nonlinear analysis of "
        "hydrodynamic instability in laminar flames, doi:10.1016/0094-5765(77)90096-0",
        # No frequency stands out; cells form and merge within some ten units of time.
        period=10.0,
        # At the default length; benchmarks/kuramoto_sivashinsky.py.
        lyapunov=0.048,
    )
