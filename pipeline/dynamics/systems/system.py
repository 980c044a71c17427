"""A dynamical system: x' = f(x, t; p), its equations kept as text and understood through SymPy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import sympy

from ....data.base.suggestions import listed
from .compiling import compiled
from .effort import Effort, bounded
from .expressions import TIME, ExpressionError, parse
from .naming import InvalidSystemError, check_name
from .parameter import Parameter
from .real_calculus import derivative
from .stored import read_system

# Of states and parameters, and of all equations together: beyond them, algebra takes minutes, as a stranger may wish.
MAX_NAMES = 400
MAX_CHARACTERS = 60_000


@dataclass(frozen=True)
class System:
    """A system of ordinary differential equations of first order; other kinds of system are subclasses.

    Attributes:
        name: As in a config, "van-der-pol".
        equations: For each state its right-hand side as text, in the order of the state's components.
        parameters: By name.
        initial_state: For each state the range (low, high) that initial states are drawn from by default.
        time_unit: The unit of t, "1" where there is none.
        description: One or two sentences.
        reference: A paper with its DOI.
        period: A natural time scale: the period of the motion or, of chaotic ones, that of its strongest
            frequency.
        hamiltonian: The conserved energy as text, of a system that has one.
        lyapunov: The largest Lyapunov exponent by unit of time, as `trajstore systems NAME --lyapunov` measured
            it or its source says.

    Raises:
        InvalidSystemError: Names, ranges or parameters do not hang together.
        ExpressionError: An equation is none.
    """

    name: str
    equations: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    initial_state: Mapping[str, tuple[float, float]]
    time_unit: str = "1"
    description: str = ""
    reference: str = ""
    period: float | None = None
    hamiltonian: str | None = None
    lyapunov: float | None = None
    _parsed: tuple[sympy.Expr, ...] = field(init=False, repr=False, compare=False)

    kind: ClassVar[str] = "ode"
    # Are the components the values of one field at points of space?
    spatial: ClassVar[bool] = False
    # Do the equations look back, so that a state alone does not say how it goes on?
    retarded: ClassVar[bool] = False
    # Of states that are measured in scales of their own, which are parameters: one over each of them.
    units: ClassVar[Mapping[sympy.Symbol, sympy.Expr]] = MappingProxyType({})
    _kinds: ClassVar[dict[str, type["System"]]] = {}

    def __init_subclass__(cls) -> None:
        System._kinds[cls.kind] = cls

    def __post_init__(self) -> None:
        if not self.equations:
            raise InvalidSystemError(f"system {self.name!r} has no equations; expected one for each state")
        names, characters = len(self.equations) + len(self.parameters), sum(map(len, self.equations.values()))
        if names > MAX_NAMES or characters > MAX_CHARACTERS:
            raise InvalidSystemError(
                f"system {self.name!r:.80} has {names} states and parameters, and equations of {characters} "
                f"characters; the limits are {MAX_NAMES} and {MAX_CHARACTERS}"
            )
        for name in (*self.equations, *self.parameters):
            check_name(name)
        both = set(self.equations) & set(self.parameters)
        if both:
            raise InvalidSystemError(f"{', '.join(sorted(both))}: both a state and a parameter; rename one")
        if set(self.initial_state) != set(self.equations):
            raise InvalidSystemError(
                f"initial_state has {listed(self.initial_state)}, expected a range for each state: "
                f"{listed(self.equations)}"
            )
        # Whatever the order it was given in, the box is in that of the components.
        object.__setattr__(self, "initial_state", {name: self.initial_state[name] for name in self.equations})
        parsed, effort = [], Effort()
        for state, text in self.equations.items():
            try:
                with bounded(f"{text!r:.80}", effort):
                    parsed.append(self._parse(text))
            except ExpressionError as error:
                raise ExpressionError(f"equation of {state}: {error}") from None
        object.__setattr__(self, "_parsed", tuple(parsed))
        if self.hamiltonian is not None:
            _ = self.energy

    def _parse(self, text: str) -> sympy.Expr:
        return parse(text, (*self.equations, *self.parameters))

    @staticmethod
    def of_kind(kind: Any) -> type["System"] | None:
        """The class of systems of that kind; None if there is none."""
        return System._kinds.get(kind) if isinstance(kind, str) else None

    @property
    def ordinary(self) -> bool:
        """Is there a slope at each state, an expression for each component?"""
        return not (self.spatial or self.retarded)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state's components."""
        return tuple(self.equations)

    @property
    def vector_field(self) -> tuple[sympy.Expr, ...]:
        """f, an expression a component, in the symbols below."""
        return self._parsed

    @cached_property
    def energy(self) -> sympy.Expr | None:
        """H in the symbols below, None of a system that has none. Raises ExpressionError if it is no expression."""
        if self.hamiltonian is None:
            return None
        try:
            with bounded(f"{self.hamiltonian!r:.80}"):
                return parse(self.hamiltonian, (*self.equations, *self.parameters))
        except ExpressionError as error:
            raise ExpressionError(f"hamiltonian: {error}") from None

    @cached_property
    def state_symbols(self) -> tuple[sympy.Symbol, ...]:
        return tuple(sympy.Symbol(name, real=True) for name in self.equations)

    @cached_property
    def parameter_symbols(self) -> tuple[sympy.Symbol, ...]:
        return tuple(sympy.Symbol(name, real=True) for name in self.parameters)

    @cached_property
    def time_symbol(self) -> sympy.Symbol:
        return sympy.Symbol(TIME, real=True)

    @cached_property
    def jacobian(self) -> sympy.Matrix:
        """df_i/dx_j, (D, D); of a jump its two sides'."""
        with bounded(self.longest):
            return sympy.Matrix(
                [[derivative(slope, state) for state in self.state_symbols] for slope in self.vector_field]
            )

    def tangent(self, names: Sequence[str]) -> list[sympy.Expr]:
        """Slopes of a tangent vector whose components are called like this: J v."""
        with bounded(self.longest):
            return list(self.jacobian * sympy.Matrix([sympy.Symbol(name, real=True) for name in names]))

    @property
    def longest(self) -> str:
        """What to call the equations where their algebra takes too long: the longest of them, for people."""
        state, text = max(self.equations.items(), key=lambda equation: len(equation[1]))
        return f"system {self.name!r:.80}, of which the equation of {state} is the longest, {text!r:.80}"

    @property
    def autonomous(self) -> bool:
        """Do the equations not mention time?"""
        return not any(expression.has(self.time_symbol) for expression in self.vector_field)

    @property
    def smooth(self) -> bool:
        """Are the equations free of kinks and jumps, of `abs` and `sign`?"""
        return not any(expression.has(sympy.Abs, sympy.sign) for expression in self.vector_field)

    @property
    def continuous(self) -> bool:
        """Are the equations free of jumps, of `sign`?"""
        return not any(expression.has(sympy.sign) for expression in self.vector_field)

    @property
    def defaults(self) -> tuple[float, ...]:
        """The parameters' values, in their order."""
        return tuple(parameter.value for parameter in self.parameters.values())

    def default_rows(self, rows: int) -> np.ndarray:
        """Parameters (rows, P) float64 of rows that all have these values."""
        return np.tile(np.array(self.defaults, dtype=np.float64), (rows, 1))

    @property
    def start_numbers(self) -> int:
        """How many numbers a random initial state takes."""
        return len(self.states)

    def starts_from(self, numbers: np.ndarray) -> np.ndarray:
        """Initial states (n, D) in the box, from numbers (n, start_numbers) in [0, 1)."""
        low, high = np.array(list(self.initial_state.values()), dtype=np.float64).T
        return low + (high - low) * numbers

    def representable(self, states: np.ndarray) -> np.ndarray:
        """Initial states (n, D) as the equations can take them up."""
        return states

    def sizes(self, states: np.ndarray) -> np.ndarray:
        """How large each component of states (..., D) is, beside which its errors are small or not."""
        return np.abs(states)

    def latex(self) -> list[str]:
        """The equations as LaTeX, a line a component."""
        with bounded(self.longest):
            return [
                rf"\dot{{{sympy.latex(symbol)}}} = {sympy.latex(expression)}"
                for symbol, expression in zip(self.state_symbols, self.vector_field, strict=True)
            ]

    def function(self, expressions: Any, modules: str) -> Callable[..., Any]:
        """A Python function (t, x, p) of expressions in the system's symbols; x and p are sequences.

        modules  "math" for one state at a time, "numpy" for arrays with the component first
        """
        arguments = (self.time_symbol, self.state_symbols, self.parameter_symbols)
        return compiled(arguments, expressions, modules)

    def numeric(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """f(t, x, p) and its Jacobian, of one state as a list; the latter is derived when it is first asked for."""
        return self.numeric_by(lambda expressions: self.function(expressions, "math"))

    def numeric_by(
        self, make: Callable[[Any], Callable[..., Any]]
    ) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The same, where `make` makes functions of lists of expressions."""
        made: list[Callable[..., Any]] = []

        def jacobian(*arguments: Any) -> Any:
            if not made:
                made.append(make(self.jacobian.tolist()))
            return made[0](*arguments)

        return make(list(self.vector_field)), jacobian

    def check_slopes(self) -> None:
        """Raises InvalidSystemError if the state alone does not say what dx/dt is."""

    def slopes(self, states: np.ndarray, parameters: np.ndarray, times: np.ndarray) -> np.ndarray:
        """dx/dt (N, T, D) float64 at states (N, T, D), parameters (N, P) and times (T,)."""
        slopes = np.empty_like(states)
        for component, value in enumerate(self.along(list(self.vector_field), states, parameters, times)):
            slopes[..., component] = value
        return slopes

    def along(
        self, expressions: Any, states: np.ndarray, parameters: np.ndarray, times: np.ndarray
    ) -> np.ndarray | list[Any]:
        """Values (N, T) of an expression in the system's symbols, or a list of several; constants may be numbers."""
        # A component after the other, without strides: NumPy takes the same way through all of them.
        x = [np.ascontiguousarray(states[..., component]) for component in range(states.shape[2])]
        p = [np.repeat(column[:, None], len(times), axis=1) for column in parameters.T]
        t = np.repeat(times[None], len(states), axis=0)
        return self.function(expressions, "numpy")(t, x, p)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is its inverse."""
        optional = {"period": self.period, "hamiltonian": self.hamiltonian, "lyapunov": self.lyapunov}
        return {
            "name": self.name,
            # JSON objects have no order, and the order of the components matters.
            "states": list(self.states),
            "equations": dict(self.equations),
            "parameters": {name: parameter.to_dict() for name, parameter in self.parameters.items()},
            "initial_state": {name: list(box) for name, box in self.initial_state.items()},
            "time_unit": self.time_unit,
            "description": self.description,
            "reference": self.reference,
            **({} if self.kind == System.kind else {"kind": self.kind}),
            **{key: value for key, value in optional.items() if value is not None},
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> "System":
        """Read what `to_dict` wrote, perhaps in a stranger's file. Raises InvalidSystemError if it is none."""
        return read_system(raw, System.of_kind, System.kind)


System._kinds[System.kind] = System


def system_of(config: Mapping[str, Any]) -> System | None:
    """The system of a dataset's config; None if it was measured, and nobody knows its equations.

    Raises InvalidSystemError if it is none.
    """
    described = config["system"]
    return System.from_dict(described) if "equations" in described else None
