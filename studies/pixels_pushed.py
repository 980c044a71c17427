"""Draws a pendulum in pictures as a network of studies/pixels.toml imagines it, which is pushed on its way.

python studies/pixels_pushed.py RUN FILE.png
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from pixels_judged import energies
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import load_trained

# Points before the push and after it, and by how much the swing widens.
POINTS, WIDER = 100, 1.4
SHOWN, STEP = 10, 0.05


@torch.no_grad()
def pushed(model, pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (POINTS, P) before the push and after it, from two (2, P) that are true."""
    latent = model.begin(pictures[None])
    halves = []
    for _ in range(2):
        path = []
        for _ in range(POINTS):
            latent = model.advance(latent)
            path.append(latent)
        states = torch.cat(path)
        halves.append(model.decode(states).double().numpy())
        # About the middle of the way that it has gone, which is where it would rest.
        middle = (states.amin(dim=0) + states.amax(dim=0)) / 2
        latent = middle + WIDER * (latent - middle)
    return halves[0], halves[1]


def draw(before: np.ndarray, after: np.ndarray) -> Figure:
    """Some of the pictures, and the energy that is read off all of them."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(0.9, 2.2))
    time = STEP * np.arange(1, 2 * POINTS + 1)
    pictures = np.concatenate([before, after])
    numbers = np.linspace(0, len(pictures) - 1, SHOWN).astype(int)
    side = round(pictures.shape[1] ** 0.5)
    for axes, number in zip(above.subplots(1, SHOWN), numbers, strict=True):
        axes.imshow(pictures[number].reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"$t$ = {time[number]:.3g}", fontsize=8)
    axes = below.subplots()
    for half, since, colour, name in (
        (before, 0, "#0072B2", "before"),
        (after, POINTS, "#D55E00", "after the push"),
    ):
        axes.plot(
            time[since + 1 : since + POINTS - 1], energies(half[None], STEP)[0], color=colour, label=name
        )
    axes.set(xlabel="time $t$", ylabel="energy, as read\noff the pictures", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def main(run: str, file: str) -> None:
    config, model = load_trained(Path(run))
    data = config.find_dataset(Path(run))
    draw(*pushed(model, TrajectoryDataset(data, "test").states(0)[:2])).savefig(file, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
