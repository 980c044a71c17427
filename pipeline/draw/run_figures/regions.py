"""The regions in which a network is linear: where a free run visits each, and from which to which it goes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from ..run_labels import Results, component_label, run_title
from ..style import BLACK, ROW_COLOURS, new_figure

# As many as there are colours; the others are one more node, in grey.
MOST_REGIONS = len(ROW_COLOURS)
OTHERS = "#9AA1A9"
# Points of a portrait: more would be a blot.
PORTRAIT = 8_000


def draw_regions(results: Results) -> Figure | None:
    """A portrait coloured by region, and the graph of the ways from one to another, with how likely each is where the
    region is left. None of networks that have no such regions.
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
    told = f"{len(regions)} of {2 ** results['config'].config['model']['relus']:,} linear regions are visited"
    figure.suptitle(run_title(results, told), x=0.02, ha="left", fontsize=10)
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
    for start, end in zip(*np.nonzero(likely), strict=True):
        share = likely[start, end]
        axes.add_patch(
            FancyArrowPatch(
                tuple(places[start]),
                tuple(places[end]),
                connectionstyle="arc3,rad=0.18",
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=15,
                shrinkB=15,
                lw=0.5 + 2 * share,
                color=colours[start],
            )
        )
        if share >= 0.05:
            middle = 0.5 * (places[start] + places[end])
            across = places[end] - places[start]
            # To the side to which the arrow bends.
            at = middle + 0.13 * np.array([across[1], -across[0]])
            axes.text(*at, f"{100 * share:.0f} %", ha="center", va="center", fontsize=7, color=BLACK)
    axes.scatter(*places.T, s=150 + 700 * shares, c=colours[:count], zorder=3)
    for place, name, share in zip(places, names, shares, strict=True):
        outside = 1.32 * place if count > 1 else np.array([0.0, 0.3])
        axes.text(*outside, f"{name}\n{100 * share:.1f} %", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", title="ways from region to region")
    axes.axis("off")
