"""Is `trajstore generate` limited by its engine, and does its memory stay bounded?

The command, start to end, in a process of its own, beside the engine alone: the same shards from as many
threads, the results thrown away. Start-up is the same command with one row. Needs about 2 GB of disk.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from report import cores, figure, machine, ratios, repeated, rounds, seconds, spent, spread, table, verdict

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"


def overrides(rows: int) -> tuple[str, ...]:
    return f"dataset.train={rows}", "dataset.validation=0", "dataset.test=0"


class EndToEnd:
    """`trajstore generate` of so many rows into a new folder, which goes when it is timed."""

    def __init__(self, rows: int, threads: int, folder: Path) -> None:
        self._rows, self._threads, self._folder = rows, threads, folder
        self.peak = 0

    def __call__(self) -> float:
        with TemporaryDirectory(dir=self._folder) as temporary:
            command = [sys.executable, "-m", "trajstore.pipeline", "generate", str(CONFIG), "--out"]
            command += [str(Path(temporary) / "dataset"), "--jobs", str(self._threads)]
            for override in overrides(self._rows):
                command += ["--set", override]

            def work() -> None:
                self.peak = max(self.peak, spent(command).bytes)

            return seconds(work)


def engine_alone(rows: int, threads: int) -> float:
    """Seconds that the engine takes from the first row to the last; its start-up is not in them."""
    import numpy as np
    from trajstore.pipeline import load_config, make_engine
    from trajstore.pipeline.generation.plan import make_plan

    config = load_config(CONFIG, overrides(rows))
    system, times = config.dynamics, config.times
    engine = make_engine(system, config.engine, rows=config.dataset.train)
    shards = []
    for plan in make_plan(config):
        place = (plan.split, plan.first_row, plan.first_row + plan.rows)
        shards.append((config.initial_state_rows(*place), config.parameter_rows(*place)))

    def solve(shard: tuple[np.ndarray, np.ndarray]) -> None:
        engine.solve(*shard, times)

    with ThreadPoolExecutor(threads) as pool:
        return seconds(lambda: list(pool.map(solve, shards)))


def engine_process(rows: int, threads: int) -> float:
    """`engine_alone` in a process of its own, like the command that it is compared with."""
    command = [sys.executable, __file__, "--threads", str(threads), "--engine-alone", str(rows)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="Fewer rows and repetitions.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the datasets.")
@click.option("--threads", type=int, default=cores(), help="For command and engine; all cores if left out.")
@click.option("--engine-alone", "alone", type=int, hidden=True)
def main(quick: bool, folder: Path | None, threads: int, alone: int | None) -> None:
    if alone is not None:
        click.echo(engine_alone(alone, threads))
        return
    where = machine("trajstore", "heyoka", "numpy", "h5py", "joblib")
    few, many = (100_000, 300_000) if quick else (1_000_000, 10_000_000)
    with TemporaryDirectory(dir=folder) as temporary:
        start, whole, large = (EndToEnd(rows, threads, Path(temporary)) for rows in (1, few, many))
        contenders = {"start": start, "whole": whole, "engine": lambda: engine_process(few, threads)}
        timed = rounds(contenders, 3 if quick else 5)
        large_timed = [large()]
    header = ("what", "rows", "seconds", "rows a second", "times the engine alone", "peak memory, MB")
    rows = [
        _row("engine alone", few, timed["engine"], timed["engine"], None),
        _row("generate, one row: start-up", 1, timed["start"], timed["engine"], start.peak),
        _row("generate, end to end", few, timed["whole"], timed["engine"], whole.peak),
        _row("generate, end to end", many, large_timed, None, large.peak),
    ]
    print(table(header, rows))
    print(f"\n{threads} threads. {repeated(timed)} One run of {many:,} rows.")
    print("Files are hashed, read back and synced to disk in the command's time.\n")
    beyond = [whole - start for whole, start in zip(timed["whole"], timed["start"], strict=True)]
    share = ratios(beyond, timed["engine"])
    bar = "end to end at most 2 x the engine + start-up"
    print(verdict(bar, median(share) <= 2, f"{spread(share)} x the engine + start-up"))
    print(verdict(f"under 1 GB at {many:,} rows", large.peak < 1e9, f"{large.peak / 1e6:.0f} MB"))
    print("\n" + where)


def _row(name: str, rows: int, times: list[float], engine: list[float] | None, peak: int | None) -> list[str]:
    return [
        name,
        f"{rows:,}",
        spread(times),
        figure(rows / median(times)) if rows > 1 else "",
        spread(ratios(times, engine)) if engine else "",
        f"{peak / 1e6:.0f}" if peak else "",
    ]


if __name__ == "__main__":
    main()
