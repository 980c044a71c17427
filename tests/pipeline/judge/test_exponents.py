"""Lyapunov exponents of forecasters, against maps whose exponents are known."""

import numpy as np
import pytest
import torch
from trajstore.data.tasks.registry import get_task
from trajstore.models import Model, make_model
from trajstore.pipeline.judge.forecasters.growth import exponents
from trajstore.pipeline.judge.forecasters.stepping import SteppingNetwork
from trajstore.pipeline.judge.forecasters.trained import Trained


class Logistic:
    """x' = 4 x (1 - x), of which the exponent is ln 2; it carries a constant along."""

    stride = 1

    def begin(self, history, parameters):
        return history[:, -1], parameters

    def advance(self, carry):
        now = 4 * carry[0] * (1 - carry[0])
        return now, (now, carry[1])


class Henon(Model):
    """x'' = 1 - 1.4 x'^2 + .3 x, which sees one component and remembers the other; its exponent is .419."""

    def __init__(self, shape) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(1.4))
        self._shape = shape

    def step(self, inputs, memory=None):
        before = torch.zeros_like(inputs) if memory is None else memory[0].reshape(inputs.shape)
        after = 1 - self.weight * inputs**2 + 0.3 * before
        return after, (inputs.reshape(self._shape), None, [inputs[:, :0]])


def test_the_logistic_map_doubles():
    history = np.random.default_rng(0).uniform(0.1, 0.9, (5, 1, 1))
    found = exponents(Logistic(), history, np.ones((5, 1)), step=0.5, samples=4000)
    np.testing.assert_allclose(found, 2 * np.log(2), atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (-1,)])
def test_what_a_network_remembers_counts_whatever_its_form(shape):
    trained = Trained(Henon(shape), get_task("forecast"), 10)
    history = np.random.default_rng(0).uniform(-0.1, 0.1, (3, 4, 1))
    found = exponents(SteppingNetwork(trained), history, np.empty((3, 0)), step=1.0, samples=4000)
    np.testing.assert_allclose(found, 0.419, atol=0.02)


@pytest.mark.slow
def test_a_chain_of_windows_counts_the_time_of_each():
    class Window(Model):
        """The logistic map, iterated over a window."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor(4.0))

        def forward(self, inputs):
            states = [inputs[:, 0]]
            for _ in range(inputs.shape[1] - 1):
                states.append(self.weight * states[-1] * (1 - states[-1]))
            return torch.stack(states, dim=1)

    stepping = SteppingNetwork(Trained(Window(), get_task("initial-value"), 4))
    history = np.random.default_rng(0).uniform(0.1, 0.9, (3, 1, 1))
    found = exponents(stepping, history, np.empty((3, 0)), step=1.0, samples=2000)
    assert stepping.stride == 3
    np.testing.assert_allclose(found, np.log(2), atol=0.02)


@pytest.mark.slow
def test_a_network_at_rest_comes_to_rest():
    torch.manual_seed(0)
    model = make_model("lstm", 2, 2, hidden=4)
    trained = Trained(model.eval(), get_task("forecast"), 10)
    found = exponents(SteppingNetwork(trained), np.zeros((2, 3, 2)), np.empty((2, 0)), step=1.0, samples=300)
    assert (found < 0).all()


def test_runs_that_leave_all_bounds_have_none():
    class Squares(Logistic):
        def advance(self, carry):
            now = carry[0] ** 2
            return now, (now, carry[1])

    found = exponents(Squares(), np.full((2, 1, 1), 3.0), np.ones((2, 1)), step=1.0, samples=100)
    assert np.isnan(found).all()


def test_a_run_that_ends_takes_no_other_with_it():
    class Sometimes(Logistic):
        def advance(self, carry):
            now = np.where(carry[0] > 1, carry[0] ** 2, 4 * carry[0] * (1 - carry[0]))
            return now, (now, carry[1])

    found = exponents(Sometimes(), np.array([[[0.3]], [[3.0]]]), np.ones((2, 1)), step=1.0, samples=4000)
    assert found[0] == pytest.approx(np.log(2), abs=0.02)
    assert np.isnan(found[1])
