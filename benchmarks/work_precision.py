"""What does a trajectory cost by the error that it may have, beside what one would use instead?

Each contender goes through its tolerances in a process of its own, held to one core or to two. The error is the
largest over rows, times and components, each component by its largest value, against Taylor series in 64-bit
mantissas at 1e-19, which another method confirms. On one core the time is that of the CPU, which other work on the
machine does not lengthen much; on two it is that of the clock. Compiling is not in it.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import click
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pinned import alone
from precision_problems import PROBLEMS, Problem, apart, checked, solution
from precision_solvers import OURS, SOLVERS, Setup
from report import figure, machine, table

TOLERANCES = (1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13, 2.0**-52)
ERRORS = (1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13)
AIM = 3.0
# Seconds of one solution: beyond the first it is timed once, beyond the second no sharper tolerance is tried.
LONG, TOO_LONG = 2.0, 10.0
PACKAGES = ("trajstore", "heyoka", "numpy", "scipy", "torch", "torchdiffeq", "torchode", "jax", "diffrax")
STYLES = ("-o", "--o", ":s", "-.s", "-.D", "--s", "-s", "-^", "--v", ":v", "-P")


@dataclass(frozen=True)
class Point:
    """At one tolerance: microseconds a trajectory, and the largest error."""

    tolerance: float
    time: float
    error: float


def curve(
    setup: Setup, problem: Problem, rows: int, exact: np.ndarray, cores: int, rounds: int
) -> list[Point]:
    """A contender's points, those left out at which it fails."""
    clock = process_time if cores == 1 else perf_counter
    at, starts, points = setup(problem, cores), problem.starts(rows), []
    for tolerance in TOLERANCES:
        try:
            solve = at(tolerance)
            begin = process_time()
            pieces = solve(starts, problem.times)
            long = process_time() - begin > LONG
            error = apart(problem, np.concatenate(pieces)[: len(exact)], exact[:rows])
        except Exception as failure:
            print(f"at {tolerance:.1e}: {type(failure).__name__}: {failure}"[:200], flush=True)
            continue
        taken = []
        for _ in range(1 if long else rounds):
            begin = clock()
            solve(starts, problem.times)
            taken.append(clock() - begin)
        if np.isfinite(error):
            points.append(Point(tolerance, median(taken) / rows * 1e6, error))
        if min(taken) > TOO_LONG:
            break
    return points


def cheapest(points: list[Point], error: float) -> float:
    """The least time at which an error is no larger; infinite if none is."""
    return min((point.time for point in points if point.error <= error), default=np.inf)


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="An eighth of the rows, once.")
@click.option("--cores", type=int, multiple=True, default=(1, 2), show_default=True)
@click.option("--figure", "path", type=click.Path(path_type=Path), help="Where the figure goes (PNG).")
def main(quick: bool, cores: tuple[int, ...], path: Path | None) -> None:
    where = machine(*PACKAGES)
    curves: dict[tuple[str, str, int], list[Point]] = {}
    for problem in PROBLEMS:
        exact = alone(1, solution, problem)
        print(f"{problem.name}: another method is {checked(problem, exact):.1e} apart", flush=True)
        for name, (setup, one_by_one, kinds) in SOLVERS.items():
            if problem.stiff not in kinds:
                continue
            rows = problem.few if one_by_one else problem.rows // (8 if quick else 1)
            # What takes rows one by one is as fast on two cores as its processes are many.
            for count in cores[:1] if one_by_one else cores:
                arguments = (setup, problem, rows, exact, count, 1 if quick else 3)
                curves[problem.name, name, count] = alone(count, curve, *arguments)
    print(
        "\n"
        + table(
            ("problem", "cores", "error", "trajstore, us", "best peer, us", "ratio"), _rows(curves, cores)
        )
    )
    print(f"\nMedians of {1 if quick else 3}. Least times among all tolerances whose error is no larger.")
    print(f"Where a ratio is below {AIM:g}, the aim is missed.\n\n{where}")
    if path is not None:
        _drawn(curves, cores[0]).savefig(path, dpi=150)


def _rows(curves: dict[tuple[str, str, int], list[Point]], cores: tuple[int, ...]) -> list[tuple[str, ...]]:
    rows = []
    for problem in PROBLEMS:
        for count in cores:
            chosen = {name: curves[at, name, n] for at, name, n in curves if (at, n) == (problem.name, count)}
            for error in ERRORS:
                times = {name: cheapest(points, error) for name, points in chosen.items()}
                ours = {name: time for name, time in times.items() if name.startswith("trajstore")}
                peers = {name: time for name, time in times.items() if name not in ours}
                mine = min(ours.values(), default=np.inf)
                peer, best = min(((time, name) for name, time in peers.items()), default=(np.inf, ""))
                rows.append((problem.name, str(count), f"{error:.0e}", *_cells(mine, best, peer)))
    return rows


def _cells(mine: float, name: str, peer: float) -> tuple[str, str, str]:
    said = figure(mine) if mine < np.inf else "none"
    if peer == np.inf:
        return said, "none", ""
    return said, f"{figure(peer)}, {name}", figure(peer / mine) if mine < np.inf else ""


def _drawn(curves: dict[tuple[str, str, int], list[Point]], cores: int) -> Figure:
    drawn = Figure(figsize=(9, 7.4), layout="constrained")
    styles = dict(zip(SOLVERS, STYLES, strict=True))
    colours = {name: "black" if name == OURS else f"C{number}" for number, name in enumerate(SOLVERS)}
    for axes, problem in zip(drawn.subplots(2, 2).flat, PROBLEMS, strict=True):
        for name in SOLVERS:
            points = sorted(curves.get((problem.name, name, cores), []), key=lambda point: point.error)
            errors, times = [point.error for point in points], [point.time for point in points]
            axes.loglog(
                errors, times, styles[name], color=colours[name], ms=4, lw=1.8 if name == OURS else 1.1
            )
        axes.set(title=problem.name, xlabel="largest error", ylabel="microseconds a trajectory")
        axes.invert_xaxis()
        axes.grid(alpha=0.3)
    shown = [name for name in SOLVERS if any(at == name and points for (_, at, _), points in curves.items())]
    lines = [Line2D([], [], color=colours[name]) for name in shown]
    for line, name in zip(lines, shown, strict=True):
        style = styles[name]
        line.set(linestyle=style[:-1], marker=style[-1], markersize=4)
    drawn.legend(lines, shown, loc="outside lower center", ncols=4, frameon=False)
    return drawn


if __name__ == "__main__":
    main()
