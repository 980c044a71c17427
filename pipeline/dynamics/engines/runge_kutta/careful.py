"""What is looked at along the steps of SciPy's solvers: the branches of equations, such as kinks, jumps and poles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from ...systems import System
from ...systems.real_calculus import absolute, derivative
from ..kinks.branches import Branch, Kind, branches
from .clamped import clamped


class StepLimitReachedError(Exception):
    """A row that needs more steps than it is given."""


class LeftDomainError(Exception):
    """A row that goes where its equations have no value."""


class Careful:
    """What looks at the steps of one system: the arguments of its branches, for one state at a time."""

    def __init__(self, system: System, found: Sequence[Branch]) -> None:
        self.branches = list(found)
        terms = [sum(map(absolute, sympy.Add.make_args(branch.argument))) for branch in found]
        self.arguments = clamped(system, [*(branch.argument for branch in found), *terms])
        powers = [branch.exponent for branch in found if branch.exponent is not None]
        fixed, moving = {*system.parameter_symbols}, {*system.state_symbols, system.time_symbol}
        self._exponents = clamped(system, [power if power.free_symbols <= fixed else 0.5 for power in powers])
        # Where a root of parameters alone has no value, no row has one; in its clamped form it would be zero.
        still = [
            branch
            for branch in branches(system.vector_field, fixed)
            if not branch.argument.free_symbols & moving
        ]
        roots = [branch for branch in still if branch.kind in (Kind.ROOT, Kind.POWER)]
        self._roots = clamped(
            system,
            [
                *(root.argument for root in roots),
                *(0.5 if root.exponent is None else root.exponent for root in roots),
            ],
        )
        lines = [_line(branch.argument, system.state_symbols, moving) for branch in found]
        # Of an argument that is a state less a constant: the number of the state.
        self.lines = [None if line is None else line[0] for line in lines]
        self.slopes = clamped(system, [1 if line is None else line[1] for line in lines])

    def kinds(self, state: list[float], parameters: list[float]) -> list[Kind | None]:
        """Of each branch, for a row; None where a power is no branch.

        Raises LeftDomainError where parameters have no root.
        """
        try:
            exponents = iter(self._exponents(0.0, state, parameters))
            arguments, powers = np.array_split(np.array(self._roots(0.0, state, parameters), dtype=float), 2)
        except (ArithmeticError, ValueError, TypeError):
            raise LeftDomainError from None
        if not ((arguments >= 0) | (powers == np.round(powers))).all():
            raise LeftDomainError
        kinds: list[Kind | None] = []
        for branch in self.branches:
            kind: Kind | None = branch.kind
            if branch.exponent is not None:
                exponent = float(next(exponents))
                whole = exponent.is_integer()
                kind = Kind.POLE if exponent < 0 else None if whole else Kind.ROOT
            kinds.append(kind)
        return kinds


def _line(argument: sympy.Expr, states: Sequence[sympy.Symbol], moving: set[sympy.Symbol]) -> Any:
    """The number of the state in which alone an argument is linear, and its slope; None if there is none."""
    mentioned = argument.free_symbols & moving
    for number, state in enumerate(states):
        if mentioned == {state}:
            slope: Any = derivative(argument, state)
            return None if slope == 0 or slope.free_symbols & moving else (number, slope)
    return None


def careful(system: System) -> Careful | None:
    """What looks at the steps of a system; None if its equations have no branches, kinks and jumps."""
    found = branches(system.vector_field, (*system.state_symbols, system.time_symbol))
    return Careful(system, found) if found else None
