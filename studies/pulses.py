"""Writes the dataset `pulses`: the input x is 0 but for rare pulses of 1 and -1, and y holds the last of them.

python studies/pulses.py FOLDER
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from trajstore.pipeline import Columns, Import, import_files

ROWS, POINTS, PULSES, SEED = 80, 1001, 1 / 40, 4973


def pulses(generator: np.random.Generator) -> np.ndarray:
    """Inputs (ROWS, POINTS); each row begins with a pulse, so that its output is known from the first point on."""
    fires = generator.random((ROWS, POINTS)) < PULSES
    fires[:, 0] = True
    return np.where(fires, generator.choice([-1.0, 1.0], (ROWS, POINTS)), 0.0)


def held(inputs: np.ndarray) -> np.ndarray:
    """The last pulse up to each point."""
    last = np.maximum.accumulate(np.where(inputs != 0, np.arange(inputs.shape[1]), 0), axis=1)
    return np.take_along_axis(inputs, last, axis=1)


def main(folder: str) -> None:
    x = pulses(np.random.default_rng(SEED))
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "pulses.npz"
        np.savez(file, x=x, y=held(x))
        columns = Columns(components={"x": "x", "y": "y"}, step=1.0)
        import_files(file, folder, Import(columns, name="pulses", validation=0.1, test=0.2))


if __name__ == "__main__":
    main(sys.argv[1])
