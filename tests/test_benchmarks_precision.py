"""The problems of the benchmark of work and precision: all contenders integrate the same equations."""

from pathlib import Path

import numpy as np
import pytest
from trajstore.pipeline import get_system

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def problems(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import precision_problems

    return precision_problems


def test_fields_are_those_of_the_library(problems):
    for problem in problems.PROBLEMS:
        system = get_system(problem.system)
        values = dict(zip(system.parameter_symbols, problem.parameters, strict=True))
        for state in problem.starts(3) + 0.25:
            values |= dict(zip(system.state_symbols, state, strict=True))
            expected = [float(expression.subs(values)) for expression in system.vector_field]
            np.testing.assert_allclose(problem.field(*state), expected, rtol=1e-12)


def test_the_solution_of_two_bodies_keeps_its_energy_to_the_last_digit(problems):
    bodies = problems.PROBLEMS[2]
    a, b, c, d, *momenta = np.moveaxis(problems.solution(bodies), 2, 0)
    energy = sum(momentum**2 for momentum in momenta) / 2 - 1 / np.hypot(a - b, c - d)
    assert np.ptp(energy, axis=1).max() < 4e-15


def test_an_error_is_told_by_each_components_own_size(problems):
    exact = np.ones((1, 3, 2)) * [1e3, 1e-3]
    states = exact.copy()
    states[0, 1, 1] += 1e-9
    assert problems.apart(problems.PROBLEMS[0], states, exact) == pytest.approx(1e-6)
