"""The contenders of work_precision.py: each gives, of a problem and so many cores, a Solve for each tolerance.

Each library is used as its own documentation advises for many rows; all compute in float64.
"""

import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from peers import JAX_ROWS, TORCH_ROWS, in_slices
from pinned import Solve
from precision_problems import Problem

At = Callable[[float], Solve]
# Enough of them for whatever is asked here.
STEPS = 1_000_000
# SciPy takes no smaller relative tolerance.
SHARPEST = 2.3e-14


def trajstore(problem: Problem, cores: int, name: Any) -> At:
    from trajstore.pipeline import EngineSettings, get_system, make_engine

    system = get_system(problem.system)
    method: Any = "Radau" if problem.stiff and name == "scipy" else None

    def at(tolerance: float) -> Solve:
        settings = EngineSettings(name=name, tolerance=tolerance, method=method)
        engine = make_engine(system, settings, rows=1_000_000)
        # Where rows hold the GIL two threads wait for each other: one core then, as SciPy's own contenders have.
        threads = cores if engine.threads else 1

        def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
            return engine.solve(starts, np.tile(problem.parameters, (len(starts), 1)), times).states

        return in_slices(solve, None, threads)

    return at


def solve_ivp(problem: Problem, cores: int, method: str) -> At:
    from scipy import integrate

    def at(tolerance: float) -> Solve:
        def solve(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
            options = {"method": method, "t_eval": times, "rtol": max(tolerance, SHARPEST), "atol": tolerance}
            ends = times[0], times[-1]
            field = lambda _, state: problem.field(*state)  # noqa: E731
            return [integrate.solve_ivp(field, ends, start, **options).y.T[None] for start in starts]

        return solve

    return at


def torchdiffeq(problem: Problem, cores: int, method: str) -> At:
    import torch
    from torchdiffeq import odeint

    torch.set_num_threads(1)

    def at(tolerance: float) -> Solve:
        @torch.no_grad()
        def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
            arguments = torch.from_numpy(starts), torch.from_numpy(times)
            states = odeint(_torch_field(problem), *arguments, rtol=tolerance, atol=tolerance, method=method)
            return np.ascontiguousarray(states.numpy().transpose(1, 0, 2))

        return in_slices(solve, TORCH_ROWS, cores)

    return at


def torchode(problem: Problem, cores: int) -> At:
    """tsit5, compiled once: the tolerance is a tensor of the controller's."""
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    warnings.filterwarnings("ignore", module="torch._dynamo")
    import torch
    import torchode as library

    torch.set_num_threads(1)
    term: Any = library.ODETerm(_torch_field(problem))
    controller = library.IntegralController(1e-3, 1e-3, term=term)
    controller.double()
    compiled = torch.compile(library.AutoDiffAdjoint(library.Tsit5(term=term), controller).solve)

    @torch.no_grad()
    def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        grid = torch.from_numpy(times).expand(len(starts), -1)
        return compiled(library.InitialValueProblem(torch.from_numpy(starts), t_eval=grid)).ys.numpy()

    def at(tolerance: float) -> Solve:
        controller.atol.fill_(tolerance)
        controller.rtol.fill_(tolerance)
        return in_slices(solve, TORCH_ROWS, cores)

    return at


def diffrax(problem: Problem, cores: int, solver: str) -> At:
    import diffrax as library
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    term = library.ODETerm(lambda time, state, _: problem.field(*state))

    def one(start: Any, times: Any, tolerance: Any) -> Any:
        controller = library.PIDController(rtol=tolerance, atol=tolerance)
        found = library.diffeqsolve(
            term,
            getattr(library, solver)(),
            times[0],
            times[-1],
            None,
            tuple(start),
            saveat=library.SaveAt(ts=times),
            stepsize_controller=controller,
            max_steps=STEPS,
            throw=False,
        )
        return jnp.stack(found.ys, axis=-1)

    many = jax.jit(jax.vmap(one, in_axes=(0, None, None)))

    def at(tolerance: float) -> Solve:
        def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
            return np.asarray(many(starts, times, tolerance))

        return in_slices(solve, min(JAX_ROWS, problem.rows // cores), cores)

    return at


def _torch_field(problem: Problem) -> Callable[[Any, Any], Any]:
    import torch

    return lambda _, state: torch.stack(problem.field(*state.unbind(dim=-1)), dim=-1)


Setup = Callable[[Problem, int], At]
OURS = "trajstore, heyoka"
# Name -> its set-up, whether it takes rows one by one, and whether it is for stiff problems, for others, or both.
SOLVERS: dict[str, tuple[Setup, bool, tuple[bool, ...]]] = {
    OURS: (partial(trajstore, name="heyoka"), False, (False, True)),
    "trajstore, scipy": (partial(trajstore, name="scipy"), True, (False, True)),
    "SciPy DOP853": (partial(solve_ivp, method="DOP853"), True, (False,)),
    "SciPy Radau": (partial(solve_ivp, method="Radau"), True, (True,)),
    "SciPy LSODA": (partial(solve_ivp, method="LSODA"), True, (True,)),
    "diffrax tsit5": (partial(diffrax, solver="Tsit5"), False, (False,)),
    "diffrax dopri8": (partial(diffrax, solver="Dopri8"), False, (False,)),
    "diffrax kvaerno5": (partial(diffrax, solver="Kvaerno5"), False, (True,)),
    "torchdiffeq dopri5": (partial(torchdiffeq, method="dopri5"), False, (False,)),
    "torchdiffeq dopri8": (partial(torchdiffeq, method="dopri8"), False, (False,)),
    "torchode tsit5": (torchode, False, (False,)),
}
