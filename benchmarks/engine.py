"""How fast are trajectories integrated, and how exactly, beside what one would use instead?

van der Pol, mu = 0.1, x(0) uniform in [-5, 5]^2, two seconds, 21 points. Each contender runs in a process of
its own that is held to one core or to two. Compiling and warming up are not in the time, but in the column
start-up. The reference is SciPy's DOP853 at rtol = atol = 1e-13 with steps of 0.02 at most.
"""

from functools import partial
from statistics import median

import click
import numpy as np
import peers
from pinned import Pinned
from report import machine, ratios, repeated, rounds, spread, table, verdict
from scipy.integrate import solve_ivp

TIMES = np.linspace(0.0, 2.0, 21)
REFERENCE_ROWS = 200
BASE = "solve_ivp loop, DOP853 1e-9"
OURS = "trajstore, heyoka"
PACKAGES = (
    "trajstore",
    "heyoka",
    "numpy",
    "scipy",
    "joblib",
    "torch",
    "torchdiffeq",
    "torchode",
    "jax",
    "diffrax",
)

Key = tuple[str, int]
# Name and cores -> its set-up, and whether it takes rows one by one.
CONTENDERS = {
    (OURS, 1): (peers.heyoka, False),
    (OURS, 2): (peers.heyoka, False),
    ("trajstore, scipy (DOP853 1e-12)", 1): (peers.scipy_engine, True),
    ("tutorial loop: RK45, max_step=0.1, np.interp", 1): (peers.tutorial_loop, True),
    (BASE, 1): (peers.solve_ivp_loop, True),
    ("joblib, solve_ivp DOP853 1e-9", 2): (peers.joblib_loop, True),
    ("torchdiffeq dopri5 1e-9", 1): (peers.torchdiffeq, False),
    ("torchdiffeq dopri5 1e-9", 2): (peers.torchdiffeq, False),
    ("torchode tsit5 1e-9, torch.compile", 1): (peers.torchode, False),
    ("torchode tsit5 1e-9, torch.compile", 2): (peers.torchode, False),
    ("diffrax dopri8 1e-9, vmap, jit", 1): (peers.diffrax, False),
    ("diffrax dopri8 1e-9, vmap, jit", 2): (peers.diffrax, False),
}


def reference(starts: np.ndarray) -> np.ndarray:
    """States (N, T, D), two orders of magnitude more exact than the best contender has to be."""
    options = {"method": "DOP853", "t_eval": TIMES, "rtol": 1e-13, "atol": 1e-13, "max_step": 0.02}
    return np.stack([solve_ivp(peers.van_der_pol, (0.0, 2.0), start, **options).y.T for start in starts])


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer rows and repetitions.")
def main(quick: bool) -> None:
    where = machine(*PACKAGES)
    single, many = (REFERENCE_ROWS, 32_768) if quick else (1000, 65_536)
    starts = np.random.default_rng(0).uniform(-5.0, 5.0, (many, 2))
    exact = reference(starts[:REFERENCE_ROWS])
    running = {}
    try:
        for key, (setup, one_by_one) in CONTENDERS.items():
            chosen = starts[: single if one_by_one else many]
            running[key] = Pinned(setup, key[1], chosen, TIMES, REFERENCE_ROWS)
        able = {key: contender for key, contender in running.items() if contender.failure is None}
        figures = rounds({key: contender.microseconds for key, contender in able.items()}, 3 if quick else 7)
    finally:
        for contender in running.values():
            contender.close()
    errors = {key: float(np.abs(contender.states - exact).max()) for key, contender in able.items()}
    faster = {key: ratios(figures[BASE, 1], figures[key]) for key in able}
    row = partial(_row, running=running, figures=figures, errors=errors, faster=faster)
    units = "microseconds a trajectory", "times the DOP853 loop", "max error", "start-up, s"
    print(table(("what", "cores", *units), [row(key) for key in CONTENDERS]))
    print(f"\n{repeated(figures)} Errors over the first {REFERENCE_ROWS} rows.")
    print(f"Rows: {single} for those that take them one by one, {many} for the others.\n")
    ours = faster[OURS, 1]
    print(verdict("heyoka on one core >= 300 x the DOP853 loop", median(ours) >= 300, f"{spread(ours)} x"))
    print(verdict("its error <= 1e-10", errors[OURS, 1] <= 1e-10, f"{errors[OURS, 1]:.1e}"))
    for cores in (1, 2):
        others = [key for key in able if key[1] == cores and not key[0].startswith("trajstore")]
        best = max(others, key=lambda key: median(faster[key]))
        lead = ratios(figures[best], figures[OURS, cores])
        bar = f"faster than every peer, cores: {cores}"
        print(verdict(bar, median(lead) > 1, f"{spread(lead)} x the best, {best[0]}"))
    print("\n" + where)


def _row(
    key: Key,
    running: dict[Key, Pinned],
    figures: dict[Key, list[float]],
    errors: dict[Key, float],
    faster: dict[Key, list[float]],
) -> list[str]:
    name, cores = key[0], str(key[1])
    if key not in figures:
        return [name, cores, f"did not run: {running[key].failure}", "", "", ""]
    error, start_up = f"{errors[key]:.1e}", f"{running[key].start_up:.2g}"
    return [name, cores, spread(figures[key]), spread(faster[key]), error, start_up]


if __name__ == "__main__":
    main()
