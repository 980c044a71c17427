"""What is made of pictures of a pendulum: its angle, its energy along rollouts, and pictures side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from trajstore.pipeline import Metric

# Half of what a picture shows of the plane; p = MOMENTUM q', with the energy 1.9 (1 - cos q) + p^2.
BOX, MOMENTUM = 1.5, float(np.sqrt(1.9 / 30))
# Pictures of a rollout that are shown, and colours of those who drew them.
SHOWN, COLOURS = 9, ("#0072B2", "#E69F00", "#009E73", "#CC79A7")


def angles(pictures: np.ndarray) -> np.ndarray:
    """Angles (...) from straight down of rods in pictures (..., P): where from the middle the centre of mass is."""
    side = round(pictures.shape[-1] ** 0.5)
    centres = -BOX + 2 * BOX / side * (np.arange(side) + 0.5)
    x, y = (part.ravel() for part in np.meshgrid(centres, -centres))
    return np.arctan2(pictures @ x, -(pictures @ y))


def energies(pictures: np.ndarray, step: float) -> np.ndarray:
    """Energies (n, T - 2) of rollouts (n, T, P), at the points between their ends; q' by central differences."""
    q = np.unwrap(angles(pictures), axis=1)
    p = MOMENTUM * (q[:, 2:] - q[:, :-2]) / (2 * step)
    return 1.9 * (1 - np.cos(q[:, 1:-1])) + p**2


class PictureEnergy(Metric):
    """`picture_energy_mse`: the mean square of what the energy along rollouts, read off the pictures, differs by from
    that of the true ones, the mean of what is read off alike; `picture_energy_worst`: of the worst rollout.
    """

    over = "rollouts"
    floor = "itself"

    def __init__(self, context) -> None:
        super().__init__(context)
        self.squares: list[float] = []

    def add(self, batch) -> None:
        step = float(self.context.times[1] - self.context.times[0])
        true = energies(batch.true, step).mean(axis=1, keepdims=True)
        self.squares += np.square(energies(batch.predicted, step) - true).mean(axis=1).tolist()

    def result(self) -> dict[str, float]:
        return {"picture_energy_mse": float(np.mean(self.squares)), "picture_energy_worst": max(self.squares)}


def frames(runs: Sequence) -> Figure | None:
    """Pictures along one rollout, of the truth and of each model's first seed; and the energies read off them."""
    models: dict[str, dict] = {}
    for run in runs:
        if "rollout_predicted" in run.results:
            models.setdefault(run.model, run.results)
    if not models:
        return None
    first = next(iter(models.values()))
    time, true = first["rollout_time"], first["rollout_true"]
    # The widest swing is the one that tells most.
    row = int(np.ptp(angles(true), axis=1).argmax())
    rows = [("true", true[row])] + [(name, found["rollout_predicted"][row]) for name, found in models.items()]
    numbers = np.linspace(0, len(time) - 1, SHOWN).astype(int)
    figure = Figure(figsize=(7.2, 0.85 * len(rows) + 3.1), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(0.85 * len(rows), 2.8))
    panels = above.subplots(len(rows), SHOWN, squeeze=False)
    for line, (name, pictures) in zip(panels, rows, strict=True):
        side = round(pictures.shape[1] ** 0.5)
        for axes, number in zip(line, numbers, strict=True):
            axes.imshow(pictures[number].reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axes, number in zip(panels[0], numbers, strict=True):
        axes.set_title(f"$t$ = {time[number]:.3g}", fontsize=8)
    axes = below.subplots()
    step = float(time[1] - time[0])
    for (name, pictures), colour in zip(rows, ("black", *COLOURS * len(rows)), strict=False):
        axes.plot(time[1:-1], energies(pictures[None], step)[0], color=colour, lw=1.0, label=name)
    axes.set(xlabel="time $t$", ylabel="energy, as read\noff the pictures", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    below.legend(loc="outside lower center", ncols=len(rows), frameon=False)
    return figure
