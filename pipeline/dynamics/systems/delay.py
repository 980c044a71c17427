"""Delay differential equations: x' = f(x(t), x(t - tau), ..., t; p), with constant delays."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import sympy

from ....data.shard.schema import DELAY_KIND, DELAYED
from .compiling import compiled
from .effort import bounded
from .expressions import parse
from .naming import InvalidSystemError
from .parameter import Parameter
from .real_calculus import derivative
from .system import System

# The points where trajectories are not smooth are sums of delays, and of many delays there are too many.
MOST_DELAYS = 4
_NAME = re.compile(rf"{DELAYED}\((\w+), (\S+)\)")


class Delayed(NamedTuple):
    """A state at an earlier time: its symbol, the number of its component, that of its delay in `delays`."""

    symbol: sympy.Symbol
    component: int
    delay: int


@dataclass(frozen=True)
class DelaySystem(System):
    """Equations that mention `delayed(x, tau)`: the state x at t - tau; tau is a parameter, or a number above 0.

    Before the initial time every state has its initial value: the history is constant.

    Raises InvalidSystemError or ExpressionError if names, equations or delays are not sound.
    """

    kind: ClassVar[str] = DELAY_KIND
    retarded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hamiltonian is not None:
            raise InvalidSystemError(
                f"system {self.name!r:.80} has delays, and so no hamiltonian; leave that out"
            )
        if not 1 <= len(self.delays) <= MOST_DELAYS:
            raise InvalidSystemError(
                f"system {self.name!r:.80} has {len(self.delays)} delays; expected 1 to {MOST_DELAYS}, as in "
                '"-delayed(x, tau)"'
            )
        for delay in self.delays:
            if isinstance(delay, str) and not (least := _least(self.parameters[delay])) > 0:
                raise InvalidSystemError(
                    f"system {self.name!r:.80}: {delay} is a delay, and would be {least:g}; expected values above 0"
                )

    def check_slopes(self) -> None:
        raise InvalidSystemError(
            f"system {self.name!r:.80} has delays: its slopes follow from the past, not from the state alone; leave "
            "observation.derivative out"
        )

    def _parse(self, text: str) -> sympy.Expr:
        return parse(text, (*self.equations, *self.parameters), self.equations)

    @cached_property
    def _mentioned(self) -> list[tuple[sympy.Symbol, int, str | float]]:
        """Symbols of the delayed states, the numbers of their components, and their delays, in order."""
        symbols = set().union(*(expression.free_symbols for expression in self.vector_field))
        found = []
        for symbol in sorted(symbols, key=str):
            match = _NAME.fullmatch(str(symbol))
            if match:
                state, delay = match.groups()
                value = delay if delay in self.parameters else float(delay)
                found.append((symbol, self.states.index(state), value))
        return found

    @cached_property
    def delays(self) -> tuple[str | float, ...]:
        """The delays, each once: the name of a parameter, or a number."""
        return tuple(dict.fromkeys(delay for _, _, delay in self._mentioned))

    @cached_property
    def delayed(self) -> tuple[Delayed, ...]:
        """The delayed states that the equations mention."""
        places = {delay: number for number, delay in enumerate(self.delays)}
        return tuple(
            Delayed(symbol, component, places[delay]) for symbol, component, delay in self._mentioned
        )

    def delay_values(self, parameters: np.ndarray) -> np.ndarray:
        """Delays of rows (n, M) by their parameters (n, P)."""
        columns = {name: parameters[:, column] for column, name in enumerate(self.parameters)}
        values = [
            columns[delay] if isinstance(delay, str) else np.full(len(parameters), delay)
            for delay in self.delays
        ]
        return np.stack(values, axis=1)

    def function(self, expressions: Any, modules: str) -> Callable[..., Any]:
        """As of any system, but x is the states followed by the values of `delayed`."""
        symbols = (*self.state_symbols, *(one.symbol for one in self.delayed))
        arguments = (self.time_symbol, symbols, self.parameter_symbols)
        return compiled(arguments, expressions, modules)

    def tangent(self, names: Sequence[str]) -> list[sympy.Expr]:
        """J v, and the same with the delayed states for the vector at those times."""
        slopes = super().tangent(names)
        with bounded(self.longest):
            return self._with_late(slopes, names)

    def _with_late(self, slopes: list[sympy.Expr], names: Sequence[str]) -> list[sympy.Expr]:
        for symbol, component, delay in self._mentioned:
            late = sympy.Symbol(f"{DELAYED}({names[component]}, {delay})", real=True)
            slopes = [
                slope + derivative(expression, symbol) * late
                for slope, expression in zip(slopes, self.vector_field, strict=True)
            ]
        return slopes

    def latex(self) -> list[str]:
        names = {
            symbol: rf"{sympy.latex(self.state_symbols[component])}\left(t - {_latex(delay)}\right)"
            for symbol, component, delay in self._mentioned
        }
        with bounded(self.longest):
            return [
                rf"\dot{{{sympy.latex(symbol)}}} = {sympy.latex(expression, symbol_names=names)}"
                for symbol, expression in zip(self.state_symbols, self.vector_field, strict=True)
            ]


def _latex(delay: str | float) -> str:
    return sympy.latex(sympy.Symbol(delay)) if isinstance(delay, str) else f"{delay:g}"


def _least(parameter: Parameter) -> float:
    """The least value that a parameter can have; of one that a merged dataset knows by row alone, infinite."""
    if parameter.draw is None:
        return np.inf if np.isnan(parameter.value) else parameter.value
    # Of a grid, the last number is how many.
    numbers = [
        float(number)
        for draw in parameter.draws
        for key, values in draw.items()
        for number in (values[:2] if key == "grid" else values)
    ]
    return min(numbers, default=np.nan)


DELAY = (
    partial(
        DelaySystem,
        name="mackey-glass",
        equations={"x": "beta*delayed(x, tau)/(1 + delayed(x, tau)**n) - gamma*x"},
        parameters={
            "beta": Parameter(0.2, meaning="production"),
            "gamma": Parameter(0.1, meaning="decay"),
            "n": Parameter(10.0, meaning="steepness of the feedback"),
            "tau": Parameter(17.0, meaning="delay"),
        },
        initial_state={"x": (0.2, 1.4)},
        description="Production of blood cells that answers to their number a while ago.",
        reference="Mackey, Glass (1977), Oscillation and chaos in physiological control systems, "
        "doi:10.1126/science.267326",
        period=50.0,
        lyapunov=0.0053,
    ),
)
