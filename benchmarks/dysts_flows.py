"""What do all flows of dysts cost, end to end, beside its own make_trajectory, and how exact are they?

Each flow that trajstore can write as equations: converted, compiled (nothing is kept from an earlier run), 100
trajectories of 10 periods integrated and stored, two flows at once. dysts' make_trajectory, with its defaults, makes
one trajectory of 10 periods of a sample of them. Exactness: slopes against dysts' own at random states; trajectories
against SciPy at 1e-12 over three Lyapunov times, at most 10 periods.
"""

import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from report import cores, figure, machine, seconds, spread, table, verdict

ROWS, PERIODS, POINTS = 100, 10, 100
SAMPLE = ("Lorenz", "Rossler", "Aizawa", "Thomas", "Halvorsen", "HyperRossler", "Lorenz96", "DoublePendulum")
BAR_SECONDS = 120.0
SLOPES = 1e-10
# What a Taylor series cannot follow.
HINDRANCES = {"WindmiReduced": "a switch: tanh of slope 2200", "ExcitableCell": "0/0 on the way"}


def prepare() -> None:
    """In each worker: no code from an earlier run, and no warning that numba is missing."""
    import heyoka

    heyoka.llvm_state.set_diskcache_enabled(False)
    warnings.simplefilter("ignore")


def end_to_end(name: str, folder: str) -> tuple[float, int]:
    """Seconds from the name to the dataset on disk, and how many rows failed."""
    from trajstore.pipeline import Experiment, generate, get_system
    from trajstore.pipeline.config.experiment import DatasetSection
    from trajstore.pipeline.config.grid import GridSection
    from trajstore.pipeline.config.system import SystemSection

    begin = perf_counter()
    system = f"dysts:{name}"
    grid = GridSection(duration=PERIODS * (get_system(system).period or 1.0), points=PERIODS * POINTS + 1)
    config = Experiment(
        system=SystemSection(name=system), grid=grid, dataset=DatasetSection(train=ROWS, dtype="float64")
    )
    manifest = generate(config, Path(folder) / name, 1).manifest
    return perf_counter() - begin, sum(split.failed for split in manifest.splits.values())


def exactness(name: str, rows: int) -> tuple[float, Any]:
    """The largest relative deviation of the slopes, and the check of the trajectories without its system."""
    from dysts import flows
    from trajstore.pipeline import get_system
    from trajstore.pipeline.dynamics.check import check_system

    system, flow = get_system(f"dysts:{name}"), getattr(flows, name)()
    field = system.function(list(system.vector_field), "numpy")
    box, off = np.array(list(system.initial_state.values())), 0.0
    for state in np.random.default_rng(0).uniform(*box.T, (10, len(box))):
        theirs = np.ravel(np.array(flow.rhs(state, 0.5), dtype=float))
        ours = np.array(field(0.5, state, system.defaults), dtype=float)
        off = max(off, float(np.abs(ours - theirs).max() / (1 + np.abs(theirs).max())))
    return off, check_system(system, rows)


def make_trajectory(name: str) -> float:
    """Seconds of dysts for one trajectory of as many periods and points."""
    from dysts import flows

    flow = getattr(flows, name)()
    return seconds(lambda: flow.make_trajectory(PERIODS * POINTS, pts_per_period=POINTS))


def each(pool: ProcessPoolExecutor, work: Callable[..., Any], names: list[str], argument: Any) -> list[Any]:
    return list(pool.map(work, names, [argument] * len(names)))


@click.command()
@click.option("--quick", is_flag=True, help="A few flows, to see that all works.")
def main(quick: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trajstore.pipeline.dynamics.check import LARGEST_DEVIATION
        from trajstore.pipeline.dynamics.systems.dysts_flows import UNWRITABLE, flow_names

        names = [name for name in flow_names() if name not in UNWRITABLE]
    names, sample = (list(SAMPLE[:4]), SAMPLE[:1]) if quick else (names, SAMPLE)
    heading = machine("trajstore", "dysts", "heyoka", "scipy", "numpy")
    with (
        TemporaryDirectory() as folder,
        ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=prepare) as pool,
    ):
        total = perf_counter()
        made = dict(zip(names, each(pool, end_to_end, names, folder), strict=True))
        total = perf_counter() - total
        # One at a time, as nothing else should run beside what is compared.
        theirs = {name: pool.submit(make_trajectory, name).result() for name in sample}
        exact = dict(zip(names, each(pool, exactness, names, 4), strict=True))

    print(
        table(
            ["flow", "ours, ms a trajectory", "make_trajectory, ms", "ratio"],
            [
                [name, figure(made[name][0] / ROWS * 1e3), figure(theirs[name] * 1e3), figure(ratio)]
                for name in sample
                for ratio in [theirs[name] / (made[name][0] / ROWS)]
            ],
        )
    )
    print(f"\n{ROWS} trajectories of ours, compiled and stored, and one of dysts, {PERIODS} periods each.\n")
    exceptions = [
        [
            name,
            f"{slopes:.1e}",
            f"{check.deviation:.1e}",
            f"{check.horizon / (check.system.period or 1.0):.3g}",
            check.reference,
            str(made[name][1]),
            HINDRANCES.get(name, ""),
        ]
        for name, (slopes, check) in exact.items()
        if slopes > SLOPES or not check.passed or made[name][1] or name in HINDRANCES
    ]
    heads = ["flow", "slopes off", "states off", "periods", "against", "rows failed", "why"]
    print(table(heads, exceptions or [["none"] + [""] * (len(heads) - 1)]))
    good = [check.deviation for name, (_, check) in exact.items() if check.passed]
    print(f"\nAll others: slopes within {SLOPES:g}, states within {LARGEST_DEVIATION:g}, no row failed.")
    print(f"States off, of the {len(good)} within the bar, relative to the largest: {spread(good)}.\n")
    made_in = [took for took, _ in made.values()]
    print(
        verdict(
            f"{len(names)} flows in under {BAR_SECONDS:g} s on 2 cores", total < BAR_SECONDS, f"{total:.0f} s"
        )
    )
    longest = ", ".join(
        f"{name} {made[name][0]:.1f}" for name in sorted(names, key=lambda name: -made[name][0])[:3]
    )
    print(f"No bar: seconds a flow, {spread(made_in)}; of {cores()} cores. Longest: {longest}.")
    worst = max(slopes for slopes, _ in exact.values())
    print(verdict(f"slopes of every flow within {SLOPES:g}", worst <= SLOPES, f"{worst:.1e}"))
    able = [name for name in names if name not in HINDRANCES]
    # Where every row fails, it fails for both.
    agree = sum(
        check.passed or check.sound == check.deviation == 0 for check in (exact[name][1] for name in able)
    )
    print(verdict("every other flow agrees with SciPy", agree == len(able), f"{agree} of {len(able)}"))
    print(f"\n{heading}")


if __name__ == "__main__":
    main()
