"""The figure of where the rows of a dataset begin: one component alone, and the planes of pairs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..describe.description import Description
from ..describe.phrases import number
from .dataset_labels import BOX, FAILED, SPLIT_COLOURS, finish, label
from .dataset_sample import DatasetSample, SplitSample
from .style import BLACK, BLUE, SKY, new_figure, widen

# Components beyond these are not paired with each other: four have six pairs.
PAIRED = 4
MOST_BINS = 24
# Of a split with fewer, shares say nothing, and each row is shown.
FEW_ROWS = 10
QUANTILES = ((0.0, 1.0, 0.25), (0.25, 0.75, 0.5))


def draw_initial_states(sample: DatasetSample) -> Figure:
    """Where the rows begin: marginals, unless rows are few, and the planes of pairs; failed rows are crosses."""
    dimension = len(sample.manifest.components)
    shown, when = min(dimension, PAIRED), _when(sample)
    if dimension == 1:
        figure = new_figure(5.6, 3.4 if _many(sample) else 1.7)
        axes = figure.add_subplot()
        _draw_marginal(axes, sample, 0)
        axes.set_xlabel(f"{label(sample, 0)} at the start")
        return finish(figure, sample, "initial states", crosses=True, note=when)
    box, strip = _box(sample), dimension > PAIRED
    above = 0 if _many(sample) else 1
    height = 1.7 * (shown - above) + 1.4
    figure = new_figure(max(height, 4.6), height + (2.0 if strip else 0.0))
    grid = figure.add_gridspec(shown - above + strip, shown - above)
    tops: dict[int, Axes] = {}
    for row in range(above, shown):
        for column in range(row + 1 - above):
            axes = figure.add_subplot(grid[row - above, column], sharex=tops.get(column))
            tops.setdefault(column, axes)
            if row == column:
                _draw_marginal(axes, sample, row)
                axes.set(yticks=[], ylabel="")
                axes.spines["left"].set_visible(False)
            else:
                _draw_starts(axes, sample, (column, row), box)
            axes.tick_params(labelbottom=row == shown - 1, labelleft=column == 0 and row > 0)
            if row == shown - 1:
                axes.set_xlabel(label(sample, column))
            if column == 0 and row > 0:
                axes.set_ylabel(label(sample, row))
    if strip:
        _draw_spread(figure.add_subplot(grid[shown - above, :]), sample)
    what = _of_components("initial states", dimension)
    return finish(figure, sample, what, crosses=True, box=box is not None, note=when)


def _many(sample: DatasetSample) -> list[SplitSample]:
    """The splits that have enough rows to speak of shares."""
    return [split for split in sample.splits if len(split.starts) >= FEW_ROWS]


def _draw_marginal(axes: Axes, sample: DatasetSample, component: int) -> None:
    """The share of the rows of each split in each interval, or each row as a stroke where a split has few.

    Few intervals where a split has not many rows.
    """
    splits = [split for split in sample.splits if len(split.starts)]
    many = _many(sample)
    edges = np.empty(0)
    if many:
        bins = min(MOST_BINS, round(2 * np.cbrt(min(len(split.starts) for split in many))))
        together = np.concatenate([split.starts[:, component] for split in splits])
        edges = np.histogram_bin_edges(together[np.isfinite(together)], bins)
        axes.set_ylabel("share of the rows")
    for split in splits:
        starts, colour = split.starts[:, component], SPLIT_COLOURS[split.name]
        strokes = [(starts[~split.sound], FAILED)]
        if len(starts) >= FEW_ROWS:
            share = np.histogram(starts, edges)[0] / len(starts)
            axes.stairs(share, edges, baseline=None, color=colour, lw=1.2)
        else:
            strokes.append((starts[split.sound], colour))
        for values, shade in strokes:
            if len(values):
                axes.plot(values, np.zeros_like(values), "|", color=shade, ms=9, mew=1.0, clip_on=False)
    if many:
        axes.set_ylim(bottom=0)
    else:
        axes.set(ylim=(0, 1), yticks=[])
        axes.spines["left"].set_visible(False)
        widen(axes)


def _draw_starts(axes: Axes, sample: DatasetSample, pair: tuple[int, int], box: np.ndarray | None) -> None:
    size = 2.0 if sum(len(split.starts) for split in sample.splits) > 500 else 8.0
    for split in sample.splits:
        colour = SPLIT_COLOURS[split.name]
        axes.scatter(*split.starts[split.sound][:, pair].T, s=size, color=colour, lw=0, alpha=0.7)
        axes.scatter(*split.starts[~split.sound][:, pair].T, s=12, color=FAILED, marker="x", lw=0.8)
    if box is not None:
        corner, extent = box[list(pair), 0], np.diff(box[list(pair)], axis=1)[:, 0]
        axes.add_patch(Rectangle(tuple(corner), *extent, fill=False, ec=BLACK, **BOX))
    widen(axes)


def _draw_spread(axes: Axes, sample: DatasetSample) -> None:
    """Range, quartiles and median of every component's initial values, over its number."""
    starts = np.concatenate([split.starts for split in sample.splits])
    numbers = np.arange(1, starts.shape[1] + 1)
    for low, high, alpha in QUANTILES:
        band = np.quantile(starts, (low, high), axis=0)
        axes.fill_between(numbers, *band, step="mid", color=SKY, alpha=alpha, lw=0)
    axes.step(numbers, np.median(starts, axis=0), where="mid", color=BLUE, lw=1.2)
    axes.set(xlabel="number of the component", ylabel="initial value", xlim=(0.5, len(numbers) + 0.5))
    axes.set_title("all components: range, quartiles, median", loc="left")


def _box(sample: DatasetSample) -> np.ndarray | None:
    """The box (D, 2) that initial states were drawn from; None where they were not, or that is not known.

    What is stored after a transient has left the box that it began in.
    """
    system = Description(sample.manifest).understood
    if system is None or not (_kind(sample) == "box" or _before_transient(sample)):
        return None
    box = np.array([system.initial_state[name] for name in sample.manifest.components])
    starts = np.concatenate([split.starts for split in sample.splits])
    # A dataset made of others may not say how each was drawn.
    return box if ((starts >= box[:, 0]) & (starts <= box[:, 1])).all() else None


def _kind(sample: DatasetSample) -> str:
    """How initial states were drawn, as [initial_states] names it."""
    section = sample.manifest.config.get("initial_states")
    return str(section.get("kind")) if isinstance(section, Mapping) else "box"


def _before_transient(sample: DatasetSample) -> bool:
    """Do initial states lie before the transient? A delay equation could not go on from those after it."""
    system = Description(sample.manifest).understood
    return _kind(sample) == "attractor" and system is not None and system.retarded


def _when(sample: DatasetSample) -> str:
    """When rows begin, where there is a transient; and in which splits they begin otherwise."""
    told, own = [], Description(sample.manifest).starts_by_split
    if _kind(sample) == "attractor":
        when = "before" if _before_transient(sample) else "after"
        transient = number(sample.manifest.config["initial_states"].get("transient"))
        told.append(f"{when} a transient of {transient}")
    if own:
        told.append(f"drawn otherwise in {', '.join(own)}")
    return "; ".join(told)


def _of_components(what: str, dimension: int) -> str:
    return what if dimension <= PAIRED else f"{what}, the first {PAIRED} of {dimension} components"
