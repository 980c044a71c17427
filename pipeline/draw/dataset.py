"""A dataset -> figures: phase portraits, where the initial states lie, a sample of time series."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from ...data.folder.elsewhere import refuse_dataset
from ...data.folder.names import MANIFEST
from ...data.folder.remote_folder import dataset_path
from ..describe.description import Description
from ..judge.movement import spread
from ..judge.truth import CURVES
from .dataset_labels import SPLIT_COLOURS, finish, label, time_label
from .dataset_sample import DatasetSample, sample_dataset
from .delay_embedding import embed, label_embedding, lag_of
from .flow import draw_streamlines
from .images import draw_images
from .initial_states import PAIRED, draw_initial_states
from .projections import PROJECTED, draw_orbits, draw_principal, places_of_bodies
from .run_labels import MARKED
from .style import ROW_COLOURS, STYLE, equal_scales, new_figure, plane_figure, save_figure, widen

IMAGES = 3
# Of time series in one panel: many curves where they are short, few where they are long.
SHORT = 300
SHORT_CURVES, LONG_CURVES = len(ROW_COLOURS), 3


def plot_dataset(
    path: str | Path, out: str | Path | None = None, console: Console | None = None
) -> list[Path]:
    """Draw the figures of a dataset folder, or of one shard, or of the address of one; their paths.

    out  folder of the figures; left out, it is beside the dataset and called DATASET-figures

    Raises FormatError if the path is no dataset, TrajstoreError if `out` lies in one.
    """
    path = dataset_path(path)
    sample = sample_dataset(path)
    folder = _beside(path.resolve()) if out is None else Path(out)
    refuse_dataset(folder)
    paths = []
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        for name, draw in DRAWINGS.items():
            paths.append(folder / f"{name}.png")
            save_figure(draw(sample), paths[-1])
            if console is not None:
                console.print(str(paths[-1]), highlight=False, soft_wrap=True)
    return paths


def _beside(path: Path) -> Path:
    if path.is_dir():
        return path.with_name(f"{path.name}-figures")
    if (path.parent / MANIFEST).is_file():
        return path.parent.with_name(f"{path.parent.name}-figures") / path.stem
    return path.with_name(f"{path.stem}-figures")


def draw_phase(sample: DatasetSample) -> Figure:
    """Trajectories in the plane of two components, on the flow where that is known; of pairs where there are more.

    Of one component: over time, on the field of directions, or beside itself one delay ago. Of many: in the planes of
    their principal components. Of bodies that move in a plane: their orbits.
    """
    dimension = len(sample.manifest.components)
    lag = lag_of(Description(sample.manifest).understood, sample.time)
    if lag is not None:
        figure = new_figure(5.6, 5.0)
        axes = figure.add_subplot()
        for colour, time, states in _coloured(sample):
            own_lag = lag_of(Description(sample.manifest).understood, time)
            if own_lag is None:
                # A row of a split whose rows are shorter than the delay.
                continue
            x, y = embed(states[:, 0], own_lag)
            axes.plot(x, y, color=colour, lw=0.7, alpha=0.8)
            # A row at rest is a point.
            axes.plot(x[0], y[0], "o", ms=3, color=colour)
        widen(axes)
        equal_scales(axes, "box")
        label_embedding(axes, label(sample, 0).strip("$"), sample.time, lag)
        return finish(figure, sample, "delay embedding")
    if dimension == 1:
        figure = new_figure(5.6, 3.8)
        axes = figure.add_subplot()
        _draw_field(axes, sample)
        for colour, time, states in _coloured(sample):
            axes.plot(time, states[:, 0], color=colour, lw=1.0, alpha=0.8)
        widen(axes)
        axes.set(xlabel=time_label(sample), ylabel=label(sample, 0))
        axes.margins(x=0.01)
        return finish(figure, sample, "trajectories")
    if dimension == 2:
        figure = plane_figure(5.6, *_ranges(sample))
        axes = figure.add_subplot()
        _draw_field(axes, sample)
        _draw_plane(axes, sample, (0, 1), 1.1)
        return finish(figure, sample, "phase portrait")
    bodies = places_of_bodies(sample.manifest.components)
    if bodies:
        return draw_orbits(sample, _few_rows(sample, PROJECTED), bodies)
    if dimension > PAIRED:
        states = [states for split in sample.splits for states in split.states]
        return draw_principal(sample, _few_rows(sample, PROJECTED), states)
    pairs = list(combinations(range(dimension), 2))
    figure = new_figure(8.4, 2.9 * (len(pairs) // 3) + 0.5)
    for axes, pair in zip(figure.subplots(len(pairs) // 3, 3).flat, pairs, strict=True):
        _draw_plane(axes, sample, pair, 0.6)
    return finish(figure, sample, "phase portraits")


def draw_series(sample: DatasetSample) -> Figure:
    """A few rows over time: a panel a component, or an image a row where there are many components."""
    dimension = len(sample.manifest.components)
    curves = SHORT_CURVES if len(sample.time) <= SHORT else LONG_CURVES
    many = dimension > CURVES
    rows = _timed_rows(sample, IMAGES if many else curves)
    what = "a sample of time series"
    if not rows:
        figure = new_figure(6.4, 2.0)
        figure.add_subplot().axis("off")
        return finish(figure, sample, what, legend=False)
    if many:
        system = Description(sample.manifest).understood
        return finish(draw_images(rows, time_label(sample), system), sample, what, legend=False)
    figure = new_figure(7.2, 1.25 * dimension + 1.4)
    panels = figure.subplots(dimension, 1, sharex=True, squeeze=False)[:, 0]
    for component, axes in enumerate(panels):
        for colour, (name, time, states) in zip(ROW_COLOURS, rows, strict=False):
            # Where straight lines have corners, what is known is the samples.
            marker = "." if len(time) <= MARKED else None
            axes.plot(
                time,
                states[:, component],
                color=colour,
                lw=1.0,
                marker=marker,
                ms=3.5,
                mew=0,
                label=name,
            )
        axes.set_ylabel(label(sample, component))
        axes.margins(x=0.01)
        widen(axes)
    panels[-1].set_xlabel(time_label(sample))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), columnspacing=1.4)
    return finish(figure, sample, what, legend=False)


DRAWINGS: dict[str, Callable[[DatasetSample], Figure]] = {
    "phase": draw_phase,
    "initial-states": draw_initial_states,
    "series": draw_series,
}


def _draw_plane(axes: Axes, sample: DatasetSample, pair: tuple[int, int], width: float) -> None:
    few = {"marker": ".", "ms": 2.5 * width, "mew": 0} if len(sample.time) <= MARKED else {}
    for colour, _, states in _coloured(sample):
        axes.plot(*states[:, pair].T, color=colour, lw=width, alpha=0.8, **few)
        axes.plot(*states[0, pair], "o", ms=2.5 * width + 0.5, color=colour)
    axes.set(xlabel=label(sample, pair[0]), ylabel=label(sample, pair[1]))
    equal_scales(axes, "box")


def _ranges(sample: DatasetSample) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value of each component in the sampled rows, (D,) each."""
    drawn = [states.reshape(-1, states.shape[2]) for split in sample.splits for states in (split.states,)]
    together = np.concatenate([np.zeros((0, len(sample.manifest.components))), *drawn]).astype(float)
    return (together.min(axis=0), together.max(axis=0)) if len(together) else (np.zeros(2), np.ones(2))


def _draw_field(axes: Axes, sample: DatasetSample) -> None:
    """The flow of a planar system at the first time, or the directions of a scalar one, as grey streamlines."""
    system = Description(sample.manifest).understood
    states = [states for split in sample.splits for states in split.states]
    if system is None or not system.ordinary or not states:
        return
    if list(system.states) != sample.manifest.components:
        return
    drawn = np.concatenate(states)
    if drawn.shape[1] == 1:
        times = [np.tile(split.time, len(split.states)) for split in sample.splits]
        drawn = np.column_stack([np.concatenate(times), drawn])
    low, high = drawn.min(axis=0).astype(float), drawn.max(axis=0).astype(float)
    margin = np.maximum(0.06 * (high - low), 1e-6 * np.maximum(np.abs(low), np.abs(high)))
    # Of what is 0 all along any part is seen.
    margin[margin == 0] = 1.0
    draw_streamlines(axes, system, low - margin, high + margin, float(sample.time[0]))


def _coloured(sample: DatasetSample) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Colours of splits, times (T,) and states (T, D) of the sampled trajectories, fewer where each is long."""
    most = max(2, min(12, 12_000 // max(1, len(sample.time) * len(sample.splits))))
    return [
        (SPLIT_COLOURS[split.name], split.time, states)
        for split in sample.splits
        for states in split.states[spread(len(split.states), most)]
    ]


def _few_rows(sample: DatasetSample, most: int) -> list[tuple[str, np.ndarray]]:
    """Names and states (T, D) of rows, in turn from each split."""
    return [(name, states) for name, _, states in _timed_rows(sample, most)]


def _timed_rows(sample: DatasetSample, most: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The same with the times (T,) of each."""
    named = [
        (place, (f"{split.name} {number}", split.time, states))
        for split in sample.splits
        for place, (number, states) in enumerate(zip(split.numbers, split.states, strict=True))
    ]
    return [row for _, row in sorted(named, key=lambda entry: entry[0])[:most]]
