"""How long does a dataset of each library system take: rows of twenty periods, and how many of them are given up?

One process and one shard, so one core; compiling is in the time. Of a system without a period twenty Lyapunov times.
"""

from time import perf_counter

import click
import numpy as np
from report import machine, table
from trajstore.data import Status
from trajstore.pipeline import EngineSettings, InitialStates, get_system, make_engine
from trajstore.pipeline.dynamics.systems import LIBRARY

PERIODS, POINTS = 20, 201


def measured(name: str, rows: int) -> list[str]:
    """A line of the table."""
    system = get_system(name)
    unit = system.period or 1 / (system.lyapunov or 1.0)
    starts = InitialStates().rows(system, 0, "train", 0, rows)
    parameters = np.tile(np.array(system.defaults), (rows, 1))
    begin = perf_counter()
    engine = make_engine(system, EngineSettings(), rows=rows)
    solution = engine.solve(starts, parameters, np.linspace(0.0, PERIODS * unit, POINTS))
    seconds = perf_counter() - begin
    stopped = [int((solution.status == status).sum()) for status in (Status.STEP_LIMIT, Status.DIVERGED)]
    return [
        name,
        str(engine.describe()["name"]),
        f"{PERIODS * unit:.4g}",
        f"{seconds:.2f}",
        *map(str, stopped),
    ]


@click.command(help=__doc__)
@click.option("--rows", default=100, show_default=True, help="Of each system.")
def main(rows: int) -> None:
    heads = ("system", "engine", "time", f"{rows} rows, s", "step_limit", "diverged")
    lines = sorted((measured(name, rows) for name in LIBRARY), key=lambda line: -float(line[3]))
    print(table(heads, lines))
    print("\n" + machine("trajstore", "heyoka", "numpy", "scipy"))


if __name__ == "__main__":
    main()
