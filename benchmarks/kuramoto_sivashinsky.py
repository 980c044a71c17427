"""Kuramoto-Sivashinsky over long times: the error by the step, whether the spectrum is steady, how chaos grows."""

import numpy as np
from trajstore.pipeline import EngineSettings, InitialStates, get_system, make_engine

NAME = "kuramoto-sivashinsky"
# The large-scale statistics do not feel an error of 1e-5 in a unit of time.
COARSE_STEP = 0.05
TRANSIENT, SPAN, ROWS = 500.0, 4000.0, 32
# Of the pairs of close trajectories: how long between two rescalings, and how far apart.
INTERVAL, DISTANCE = 10.0, 1e-7


def solve(
    states: np.ndarray, length: float, times: np.ndarray, step: float, name: str = "auto"
) -> np.ndarray:
    system = get_system(NAME, states.shape[1])
    settings = (
        EngineSettings(max_step=step) if name == "auto" else EngineSettings(name="scipy", tolerance=1e-13)
    )
    solution = make_engine(system, settings).solve(states, np.full((len(states), 1), length), times)
    if solution.status.any():
        raise RuntimeError(f"{np.count_nonzero(solution.status)} of {len(states)} rows failed")
    return solution.states


def developed(length: float, points: int, rows: int) -> np.ndarray:
    starts = InitialStates().rows(get_system(NAME, points), 0, "train", 0, rows)
    return solve(starts, length, np.array([-TRANSIENT, 0.0]), COARSE_STEP)[:, 1]


def errors(length: float, points: int) -> None:
    """Against SciPy's DOP853 at 1e-13, after a unit of time."""
    states, times = developed(length, points, 8), np.array([0.0, 1.0])
    exact = solve(states, length, times, 0.0, "scipy")[:, 1]
    print("    step   largest error after t = 1")
    for step in (0.1, 0.05, 0.02, 0.01, 0.005, 0.0025, 0.00125):
        error = np.abs(solve(states, length, times, step)[:, 1] - exact).max()
        print(f"  {step:7g}   {error:.1e}")


def statistics(length: float, points: int) -> None:
    """Energy by wave number in the first and the second half of the time, and the largest Lyapunov exponent."""
    rng = np.random.default_rng(0)
    states = developed(length, points, ROWS)
    offset = DISTANCE * rng.standard_normal(states.shape)
    wide = DISTANCE * np.sqrt(points)
    rounds = round(SPAN / INTERVAL)
    times = np.linspace(0.0, INTERVAL, 11)
    spectra = np.zeros((2, ROWS, points // 2 + 1))
    growth = np.zeros((rounds, ROWS))
    for round_ in range(rounds):
        offset *= wide / np.linalg.norm(offset, axis=1, keepdims=True)
        both = solve(np.concatenate([states, states + offset]), length, times, COARSE_STEP)
        path, states = both[:ROWS], both[:ROWS, -1]
        offset = both[ROWS:, -1] - states
        growth[round_] = np.log(np.linalg.norm(offset, axis=1) / wide) / INTERVAL
        power = np.abs(np.fft.rfft(path[:, 1:], axis=2) / points) ** 2
        spectra[2 * round_ // rounds] += 2 * power.mean(axis=1) / (rounds / 2)
    first, second = spectra.mean(axis=1)
    spread = np.sqrt((spectra.var(axis=1, ddof=1) / ROWS).sum(axis=0))
    modes = np.arange(1, (points - 1) // 3 + 1)
    strong = modes[first[modes] > 1e-6 * first.max()]
    relative = np.abs(second / first - 1)[strong]
    deviations = np.abs(second - first)[strong] / spread[strong]
    peak = int(np.argmax(first))
    exponents = growth[5:].mean(axis=0)
    print(f"  mean of u^2: {first.sum():.4f} in the first half, {second.sum():.4f} in the second")
    print(
        f"  strongest mode {peak}, q = {2 * np.pi * peak / length:.3f}; modes above 1e-6 of it: {len(strong)}; "
        f"the halves differ by {relative.max():.1%} at most, {deviations.max():.1f} standard errors, "
        f"{np.sqrt((deviations**2).mean()):.2f} root mean square"
    )
    print(
        f"  the highest mode that is kept has {first[modes[-1]] / first.max():.0e} of the strongest's energy"
    )
    error = exponents.std(ddof=1) / np.sqrt(ROWS)
    print(f"  largest Lyapunov exponent {exponents.mean():.4f} +- {error:.4f}")


def main() -> None:
    for length, points in ((22.0, 64), (100.0, 256)):
        print(f"L = {length:g}, {points} points")
        errors(length, points)
        print(f"  {ROWS} fields over t = {SPAN:g}, after {TRANSIENT:g}, steps of {COARSE_STEP:g}")
        statistics(length, points)


if __name__ == "__main__":
    main()
