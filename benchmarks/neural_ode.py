"""What a step of training costs through which integrator, and how exact its states are.

A field of two hidden layers of 32 units, trained a little on van der Pol's oscillator, is led from 256 states over 20
points that are 0.1 apart, and the gradient of the squared error taken back through that. The error is that of the
states, beside DOP853 at a tolerance of 1e-12. All in float64, one thread. Needs `pip install -e ".[bench]"`.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from report import machine, rounds, seconds
from scipy.integrate import solve_ivp
from torch import Tensor
from trajstore.models import NeuralODE

ROWS, POINTS, STEP = 256, 20, 0.1
Solve = Callable[[], Tensor]


def network(substeps: int = 1) -> NeuralODE:
    """Its field is near enough to van der Pol's to be as hard."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    model = NeuralODE(2, 2, substeps=substeps, step=STEP)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    states = 4 * torch.rand(2000, 2) - 2
    x, v = states.unbind(1)
    slopes = torch.stack([v, (1 - x**2) * v - x], dim=1)
    for _ in range(500):
        optimizer.zero_grad()
        (model.field(states) - slopes).square().mean().backward()
        optimizer.step()
    return model


def contenders(starts: Tensor) -> dict[str, tuple[NeuralODE, Solve]]:
    import torchode
    from torchdiffeq import odeint

    times = STEP * torch.arange(POINTS)
    found: dict[str, tuple[NeuralODE, Solve]] = {}
    for substeps in (1, 2):
        model = network(substeps)
        inputs = torch.cat([starts[:, None], torch.zeros(ROWS, POINTS - 1, 2)], dim=1)
        found[f"own, {substeps} steps a point"] = model, lambda model=model, inputs=inputs: model(inputs)
    for method, options in {"rk4": {}, "dopri5": {"rtol": 1e-5, "atol": 1e-5}}.items():
        model = network()

        def diffeq(
            model: NeuralODE = model, method: str = method, options: dict[str, Any] = options
        ) -> Tensor:
            return odeint(lambda _, x: model.field(x), starts, times, method=method, **options).transpose(
                0, 1
            )

        found[f"torchdiffeq, {method}"] = model, diffeq
    model = network()
    term = torchode.ODETerm(lambda _, x, model=model: model.field(x))
    control = torchode.IntegralController(1e-5, 1e-5, term=term)
    solver = torchode.AutoDiffAdjoint(torchode.Dopri5(term), control)
    problem = torchode.InitialValueProblem(starts, t_eval=times.expand(ROWS, -1))
    found["torchode, dopri5"] = model, lambda: solver.solve(problem).ys
    return found


def exact(model: NeuralODE, starts: np.ndarray) -> np.ndarray:
    def slopes(_: float, laid: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model.field(torch.from_numpy(laid.reshape(-1, 2))).numpy().ravel()

    times = STEP * np.arange(POINTS)
    solved = solve_ivp(slopes, (0, times[-1]), starts.ravel(), "DOP853", times, rtol=1e-12, atol=1e-12)
    return solved.y.T.reshape(POINTS, -1, 2).transpose(1, 0, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    starts = 4 * np.random.default_rng(0).random((ROWS, 2)) - 2
    given = contenders(torch.from_numpy(starts))
    truth = exact(network(), starts)
    errors, steps = {}, {}
    for name, (model, solve) in given.items():
        errors[name] = float(np.abs(solve().detach().numpy() - truth).max())

        def step(model: NeuralODE = model, solve: Solve = solve) -> None:
            model.zero_grad()
            (solve() - torch.from_numpy(truth)).square().mean().backward()

        step()
        steps[name] = lambda step=step: 1000 * seconds(step)
    figures = rounds(steps, asked.rounds)
    print(machine("torch", "torchdiffeq", "torchode"))
    print("\n| integrator | ms a step, median (least) | largest error of a state |\n|---|---|---|")
    for name, values in figures.items():
        print(f"| {name} | {np.median(values):.1f} ({min(values):.1f}) | {errors[name]:.1e} |")


if __name__ == "__main__":
    main()
