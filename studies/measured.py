"""Writes FOLDER.csv, a table as of an instrument, and a dataset that is imported from it: one long row of one column.

python studies/measured.py FOLDER

It stands in for your own table: x of Lorenz's system, with noise of 2 % and four decimals, of which a few samples are
missing. That there are two more components, and what the equations are, the dataset does not know.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import Columns, Import, check_config, generate, import_files

POINTS, STEP, NOISE, DROPPED, SEED = 30_000, 0.02, 0.02, 20, 1963
# Samples of each piece into which the row is cut: the first ones are learned from, the last ones judged.
LENGTH, VALIDATION, TEST = 1000, 0.15, 0.2


def row() -> np.ndarray:
    """x (POINTS,) of one trajectory on the attractor."""
    grid = {"duration": STEP * (POINTS - 1), "points": POINTS}
    starts = {"kind": "attractor", "transient": 20.0}
    rows = {"train": 1, "validation": 0, "test": 0, "dtype": "float64", "seed": SEED}
    sections = {"system": {"name": "lorenz"}, "grid": grid, "initial_states": starts, "dataset": rows}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lorenz"
        generate(check_config(sections, "measured.py"), folder, 1)
        return TrajectoryDataset(folder, "train", dtype="float64").states(slice(None)).numpy()[0, :, 0]


def main(folder: str) -> None:
    generator = np.random.default_rng(SEED)
    x = row()
    signal = x + NOISE * x.std() * generator.standard_normal(POINTS)
    kept = np.sort(generator.choice(np.arange(1, POINTS - 1), POINTS - 2 - DROPPED, replace=False))
    kept = np.concatenate([[0], kept, [POINTS - 1]])
    table = Path(f"{folder}.csv")
    with table.open("w", newline="") as file:
        lines = ([f"{STEP * at:.2f}", f"{signal[at]:.4f}"] for at in kept)
        csv.writer(file).writerows([["clock (s)", "signal (V)"], *lines])
    columns = Columns(time="clock", components={"signal": "signal"})
    shares = {"by": "time", "length": LENGTH, "validation": VALIDATION, "test": TEST}
    import_files(table, folder, Import(columns, name="signal", resample=STEP, **shares))


if __name__ == "__main__":
    main(sys.argv[1])
