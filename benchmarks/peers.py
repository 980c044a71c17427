"""The ways to integrate many van der Pol oscillators: trajstore's engines, and what people use instead.

Each function imports its library, and returns a Solve for so many cores. Each library is used as its own
documentation advises for this work, with the batch size at which it is fastest; all compute in float64.
"""

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from pinned import Solve

MU = 0.1
TOLERANCE = 1e-9
TORCH_ROWS = 16_384
JAX_ROWS = 1024


def van_der_pol(time: float, state: np.ndarray) -> list[float]:
    """The right-hand side as a user of solve_ivp writes it."""
    x1, x2 = state
    return [x2, MU * (1 - x1**2) * x2 - x1]


def heyoka(cores: int) -> Solve:
    return _trajstore("heyoka", cores)


def scipy_engine(cores: int) -> Solve:
    return _trajstore("scipy", cores)


def solve_ivp_loop(cores: int) -> Solve:
    """DOP853, the solver's own interpolant on the grid."""
    from scipy.integrate import solve_ivp

    def solve(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        options = {"method": "DOP853", "t_eval": times, "rtol": TOLERANCE, "atol": TOLERANCE}
        return [solve_ivp(van_der_pol, (times[0], times[-1]), start, **options).y.T[None] for start in starts]

    return solve


def tutorial_loop(cores: int) -> Solve:
    """RK45 at its default tolerances, steps of 0.1 at most, straight lines between them."""
    from scipy.integrate import solve_ivp

    def solve(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        pieces = []
        for start in starts:
            path = solve_ivp(van_der_pol, (times[0], times[-1]), start, max_step=0.1)
            pieces.append(np.stack([np.interp(times, path.t, x) for x in path.y], axis=-1)[None])
        return pieces

    return solve


def joblib_loop(cores: int) -> Solve:
    """`solve_ivp_loop` in worker processes, which stay alive between calls."""
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=cores)

    def solve(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        shares = parallel(delayed(_loop_share)(share, times) for share in np.array_split(starts, 4 * cores))
        return [piece for share in shares for piece in share]

    return solve


def torchdiffeq(cores: int) -> Solve:
    """dopri5; the whole batch takes the same steps."""
    import torch
    from torchdiffeq import odeint

    torch.set_num_threads(1)

    @torch.no_grad()
    def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        arguments = torch.from_numpy(starts), torch.from_numpy(times)
        states = odeint(_torch_field, *arguments, rtol=TOLERANCE, atol=TOLERANCE, method="dopri5")
        return np.ascontiguousarray(states.numpy().transpose(1, 0, 2))

    return in_slices(solve, TORCH_ROWS, cores)


def torchode(cores: int) -> Solve:
    """tsit5, compiled; every row takes its own steps."""
    # So that the start-up is a first one; a warning says that caches are off.
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    warnings.filterwarnings("ignore", module="torch._dynamo")
    import torch
    import torchode

    torch.set_num_threads(1)
    term: Any = torchode.ODETerm(_torch_field)
    controller = torchode.IntegralController(TOLERANCE, TOLERANCE, term=term)
    solver = torchode.AutoDiffAdjoint(torchode.Tsit5(term=term), controller)
    compiled = torch.compile(solver.solve)

    @torch.no_grad()
    def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        grid = torch.from_numpy(times).expand(len(starts), -1)
        return compiled(torchode.InitialValueProblem(torch.from_numpy(starts), t_eval=grid)).ys.numpy()

    return in_slices(solve, TORCH_ROWS, cores)


def diffrax(cores: int) -> Solve:
    """dopri8 under vmap and jit; every row takes its own steps."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    # Components apart, not an array of two: nearly twice as fast.
    term = diffrax.ODETerm(lambda time, x, _: (x[1], MU * (1 - x[0] ** 2) * x[1] - x[0]))
    controller = diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE)

    def one(start: jax.Array, times: jax.Array) -> jax.Array:
        begin, end, state = times[0], times[-1], (start[0], start[1])
        save = diffrax.SaveAt(ts=times)
        solution = diffrax.diffeqsolve(
            term, diffrax.Dopri8(), begin, end, None, state, saveat=save, stepsize_controller=controller
        )
        return jnp.stack(solution.ys, axis=-1)

    many = jax.jit(jax.vmap(one, in_axes=(0, None)))
    return in_slices(lambda starts, times: np.asarray(many(starts, times)), JAX_ROWS, cores)


def _trajstore(name: Any, cores: int) -> Solve:
    from trajstore.pipeline import EngineSettings, get_system, make_engine

    # As `generate` does for a million rows and more.
    engine = make_engine(get_system("van-der-pol"), EngineSettings(name=name), rows=1_000_000)

    def solve(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        return engine.solve(starts, np.full((len(starts), 1), MU), times).states

    return in_slices(solve, None, cores)


def in_slices(solve: Callable[[np.ndarray, np.ndarray], np.ndarray], rows: int | None, cores: int) -> Solve:
    """Slices of so many rows, or as many slices as cores, shared among as many threads as cores."""
    pool = ThreadPoolExecutor(cores)

    def solve_all(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        size = rows or -(-len(starts) // cores)
        slices = [starts[first : first + size] for first in range(0, len(starts), size)]
        return list((map if cores == 1 else pool.map)(lambda part: solve(part, times), slices))

    return solve_all


def _loop_share(starts: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    return list(solve_ivp_loop(1)(starts, times))


def _torch_field(time: Any, state: Any) -> Any:
    import torch

    x1, x2 = state.unbind(dim=-1)
    return torch.stack((x2, MU * (1 - x1**2) * x2 - x1), dim=-1)
