"""The regions in which a network is linear: where a free run visits each, and from which to which it goes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from ..run_labels import Results, component_label, run_title
from ..style import ROW_COLOURS, new_figure

# As many as there are colours; the others are one more node, in grey.
MOST_REGIONS = len(ROW_COLOURS)
OTHERS = "#9AA1A9"
# Points of a portrait: more would be a blot.
PORTRAIT = 8_000
# Ways that are taken less often are not drawn, or not told; and how far arrows bend.
RARE, TOLD, BEND = 0.05, 0.15, 0.18
# Where on an arrow its share may stand; and how wide and how high such a number is.
ALONG, TEXT = np.linspace(0.2, 0.6, 21), np.array([2.0, 1.0])


def draw_regions(results: Results) -> Figure | None:
    """A portrait coloured by region, and the graph of the ways from one to another, with the shares that take each
    where a region is left. None of networks that have no such regions.
    """
    if "symbols" not in results:
        return None
    symbols, states = results["symbols"], results["symbol_states"]
    regions, visits = np.unique(symbols, return_counts=True)
    often = regions[np.argsort(-visits, kind="stable")[:MOST_REGIONS]]
    # By rank; what is visited less than those shown is one more.
    ranks = np.full(len(symbols), len(often))
    for rank, region in enumerate(often):
        ranks[symbols == region] = rank
    names = [str(region) for region in often] + (["others"] if len(regions) > len(often) else [])
    colours = [*ROW_COLOURS[: len(often)], OTHERS]
    figure = new_figure(7.6, 3.9)
    portrait, graph = figure.subplots(1, 2)
    last = states.shape[1] - 1
    shown = slice(None, PORTRAIT)
    for rank, name in enumerate(names):
        chosen = states[shown][ranks[shown] == rank]
        portrait.plot(
            chosen[:, 0], chosen[:, last], ".", ms=1.2, color=colours[rank], label=name, rasterized=True
        )
    portrait.set(xlabel=component_label(results, 0), ylabel=component_label(results, last))
    _draw_graph(graph, ranks, names, colours)
    figure.suptitle(
        run_title(results, f"a free run visits {len(regions):,} linear regions"),
        x=0.02,
        ha="left",
        fontsize=10,
    )
    return figure


def _draw_graph(axes: Axes, ranks: np.ndarray, names: list[str], colours: list[str]) -> None:
    """Nodes on a circle, as large as they are often visited; arrows with the shares of those that leave."""
    count = len(names)
    moves = np.zeros((count, count))
    np.add.at(moves, (ranks[:-1], ranks[1:]), 1)
    np.fill_diagonal(moves, 0)
    leaving = moves.sum(axis=1, keepdims=True)
    likely = np.divide(moves, leaving, out=np.zeros_like(moves), where=leaving > 0)
    angles = 0.5 * np.pi - 2 * np.pi * np.arange(count) / count
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (count > 1)
    shares = np.bincount(ranks, minlength=count) / len(ranks)
    taken = list(places)
    for start, end in zip(*np.nonzero(likely >= RARE), strict=True):
        share = float(likely[start, end])
        _draw_way(axes, places[start], places[end], share, colours[start])
        if share >= TOLD:
            taken.append(_free_place(places[start], places[end], taken))
            _tell(axes, taken[-1], f"{100 * share:.0f} %", colours[start])
    axes.scatter(*places.T, s=120 + 400 * shares, c=colours[:count], zorder=3)
    for place, name, share in zip(places, names, shares, strict=True):
        outside = 1.34 * place if count > 1 else np.array([0.0, 0.35])
        axes.text(
            outside[0], outside[1], f"{name}\n{100 * share:.1f} %", ha="center", va="center", fontsize=8
        )
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    axes.axis("off")


def _draw_way(axes: Axes, start: np.ndarray, end: np.ndarray, share: float, colour: str) -> None:
    """An arrow that bends to its right, so that there is room for the one back."""
    axes.add_patch(
        FancyArrowPatch(
            tuple(start),
            tuple(end),
            connectionstyle=f"arc3,rad={BEND}",
            arrowstyle="-|>",
            mutation_scale=10,
            shrinkA=11,
            shrinkB=11,
            lw=0.5 + 1.8 * share,
            color=colour,
        )
    )


def _free_place(start: np.ndarray, end: np.ndarray, taken: list[np.ndarray]) -> np.ndarray:
    """The point (2,) of an arrow, nearer to its start, that is farthest from what is there."""
    across = end - start
    middle = 0.5 * (start + end) + BEND * np.array([across[1], -across[0]])
    part = ALONG[:, None]
    curve = (1 - part) ** 2 * start + 2 * part * (1 - part) * middle + part**2 * end
    apart = (curve[:, None] - np.array(taken)) / TEXT
    return curve[np.square(apart).sum(axis=2).min(axis=1).argmax()]


def _tell(axes: Axes, place: np.ndarray, text: str, colour: str) -> None:
    """A number on its way, above all ways."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
    axes.text(
        place[0], place[1], text, ha="center", va="center", fontsize=7, color=colour, bbox=box, zorder=4
    )
