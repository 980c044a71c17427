"""Which state is whose momentum: the pairs of Hamilton's equations, q' = dH/dp and p' = -dH/dq."""

from collections.abc import Sequence

import numpy as np
import sympy

from .effort import bounded
from .naming import InvalidSystemError
from .real_calculus import derivative
from .system import System

# States at which expressions are compared before algebra is, and what rounding makes of equal ones.
TRIED, SEED, ROUNDING = 5, 1833, 1e-9


def canonical_pairs(system: System, components: Sequence[str]) -> list[tuple[str, str]]:
    """Each coordinate with its momentum, by the system's energy and its equations.

    Args:
        system: One that states its energy.
        components: The states that are seen, which have to be all.

    Raises:
        InvalidSystemError: It has no energy, a state has no partner, or the partner is not seen.
    """
    energy = system.energy
    if energy is None:
        raise InvalidSystemError(
            f"system {system.name!r} states no energy, so nothing says which state is whose momentum; name them, as "
            'in model.pairs = [["q", "p"]]'
        )
    if not system.ordinary or energy.has(system.time_symbol):
        raise InvalidSystemError(
            f"system {system.name!r} is no canonical one: its energy depends on time, or on more than the state"
        )
    states, field = list(system.states), list(system.vector_field)
    with bounded(f"the energy of system {system.name!r}, {system.hamiltonian!r:.80}"):
        slopes = [derivative(energy, symbol) for symbol in system.state_symbols]
    same = _Same(system)
    found: list[tuple[str, str]] = []
    left = list(range(len(states)))
    while left:
        q = left.pop(0)
        for p in left:
            if same(field[q], slopes[p]) and same(field[p], -slopes[q]):
                found.append((states[q], states[p]))
            elif same(field[p], slopes[q]) and same(field[q], -slopes[p]):
                found.append((states[p], states[q]))
            else:
                continue
            left.remove(p)
            break
        else:
            raise InvalidSystemError(
                f"system {system.name!r}: no state goes with {states[q]!r} so that q' = dH/dp and p' = -dH/dq, "
                f"where H is {system.hamiltonian}; its equations are not canonical"
            )
    for pair in found:
        if hidden := [name for name in pair if name not in components]:
            seen = next((name for name in pair if name in components), None)
            of = "are both" if seen is None else f"goes with {seen!r}, and is"
            raise InvalidSystemError(
                f"state {hidden[0]!r} {of} hidden by observation.components; the pair {pair[0]}, {pair[1]} is needed "
                "whole"
            )
    return found


class _Same:
    """Are two expressions equal whatever the states are? Most that are not differ wherever they are tried."""

    def __init__(self, system: System) -> None:
        generator = np.random.default_rng(SEED)
        states = system.starts_from(generator.uniform(size=(TRIED, system.start_numbers)))
        self._system, self._states = system, states[:, None]
        self._parameters = system.default_rows(TRIED)

    def __call__(self, one: sympy.Expr, other: sympy.Expr) -> bool:
        gap = one - other
        if gap == 0:
            return True
        with np.errstate(all="ignore"):
            values = self._system.along([gap, one], self._states, self._parameters, np.zeros(1))
        missed, size = (np.abs(np.asarray(value)).max() for value in values)
        if not missed <= ROUNDING * (1 + size):
            return False
        with bounded(f"system {self._system.name!r}: whether {gap!s:.80} is zero"):
            return sympy.simplify(gap) == 0
