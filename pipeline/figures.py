"""What all figures share: size, fonts, colours that a colour-blind reader can tell apart, saving."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import sympy
from matplotlib.figure import Figure

from ..data.files import atomic_path
from .systems.system import NAME

# Okabe and Ito's palette (2008), told apart by every kind of colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000 #E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7".split()  # noqa: SIM905
)
ROW_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
TRUE, PREDICTED, FLOW, BAND = BLACK, VERMILION, "#B8BEC6", SKY

STYLE: Any = {
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.dpi": 200,
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, size in inches; not known to pyplot, so nothing has to be closed."""
    with mpl.rc_context(STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def plain(text: str) -> str:
    """Text from a file as matplotlib shows it unchanged, whatever mathematics it may look like."""
    return text.replace("$", r"\$")


def symbol(name: str) -> str:
    """A state's or parameter's name as mathematics, x1 with its index; any other name as it is."""
    return f"${sympy.latex(sympy.Symbol(name))}$" if NAME.fullmatch(name) else plain(name)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the picture alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=STYLE["savefig.dpi"], metadata={"Software": None})
