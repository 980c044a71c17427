"""Writes two datasets of the same rows: pictures of a pendulum, a component a pixel, and its angle and momentum.

python studies/pixels.py FOLDER

FOLDER has the pictures, FOLDER-angles the states (q, p), H = 1.9 (1 - cos q) + p^2.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import Columns, Import, check_config, generate, import_files

# q'' = -15 sin q, whose energy is the one above where p is so many times q'.
MOMENTUM = float(np.sqrt(1.9 / 30))
TRAIN, VALIDATION, TEST, POINTS, STEP = 50, 5, 10, 206, 0.05
SYSTEM = {
    "name": "pendulum",
    "equations": {"q": f"p/{MOMENTUM!r}", "p": f"-15*{MOMENTUM!r}*sin(q)"},
    "hamiltonian": "1.9*(1 - cos(q)) + p**2",
    "initial_state": {"q": [-np.pi / 6, np.pi / 6], "p": [-MOMENTUM, MOMENTUM]},
}
# A picture: pixels a side, and half of what it shows of the plane; the rod.
PIXELS, BOX, LENGTH, HALF_WIDTH = 28, 1.5, 1.0, 0.1


def draw(angles: np.ndarray) -> np.ndarray:
    """Pictures (..., PIXELS * PIXELS) float32 in [0, 1] of a rod with round ends that hangs from the middle.

    Angles are from straight down. The edge is as wide as a pixel, so that pictures change smoothly.
    """
    pixel = 2 * BOX / PIXELS
    centres = -BOX + pixel * (np.arange(PIXELS) + 0.5)
    x, y = (part.ravel() for part in np.meshgrid(centres, -centres))
    across, down = np.sin(angles)[..., None], -np.cos(angles)[..., None]
    along = np.clip(x * across + y * down, 0.0, LENGTH)
    distance = np.hypot(x - along * across, y - along * down)
    return np.clip(0.5 + (HALF_WIDTH - distance) / pixel, 0.0, 1.0).astype(np.float32)


def states(folder: Path) -> np.ndarray:
    """(N, POINTS, 2) of the pendulum, integrated."""
    grid = {"duration": STEP * (POINTS - 1), "points": POINTS}
    rows = {"train": TRAIN + VALIDATION + TEST, "validation": 0, "test": 0, "dtype": "float64"}
    config = check_config({"system": SYSTEM, "grid": grid, "dataset": rows}, "pixels.py")
    generate(config, folder, 1)
    return TrajectoryDataset(folder, "train", dtype="float64").states(slice(None)).numpy()


def main(folder: str) -> None:
    count = TRAIN + VALIDATION + TEST
    shares = {"validation": VALIDATION / count, "test": TEST / count}
    with tempfile.TemporaryDirectory() as place:
        found = states(Path(place) / "pendulum")
        names = [f"r{row}c{column}" for row in range(PIXELS) for column in range(PIXELS)]
        kinds = {
            "pixel-pendulum": (folder, draw(found[..., 0]), names),
            "pendulum": (f"{folder}-angles", found, ["q", "p"]),
        }
        for name, (out, values, components) in kinds.items():
            file = Path(place) / f"{name}.npz"
            np.savez(file, state=values, component=components)
            # Of one seed, so that a row is in the same place of the same split in both.
            import_files(file, out, Import(Columns(step=STEP), name=name, **shares))


if __name__ == "__main__":
    main(sys.argv[1])
