"""What all figures share: size, fonts, colours that a colour-blind reader can tell apart, saving."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.mathtext import MathTextParser
from numpy.typing import ArrayLike

from ...data.base.errors import DataError
from ...data.base.files import atomic_path
from ..describe.phrases import line
from ..dynamics.systems.naming import NAME
from ..judge.movement import HARDLY
from .fitting import FittedLayout

# Okabe and Ito's palette (2008), told apart by every kind of colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000 #E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7".split()  # noqa: SIM905
)
ROW_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
TRUE, PREDICTED, FLOW, BAND = BLACK, VERMILION, "#B8BEC6", SKY
# In a title: parameters, and values of one that takes them in turn.
MOST_PARAMETERS, MOST_VALUES = 5, 4
# Characters of a name in titles and labels.
LONGEST_NAME = 30
# Ranges whose ratio is less have the same scale in a plane.
ALIKE = 2.5

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
        return Figure(figsize=(width, height), layout=FittedLayout())


def positive(values: ArrayLike) -> np.ndarray:
    """What a logarithmic axis can show of values; NaN for the rest."""
    found = np.asarray(values, dtype=float)
    return np.where(np.isfinite(found) & (found > 0), found, np.nan)


def plain(text: str) -> str:
    """Text that is no mathematics to matplotlib, and of characters that its font has."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in text).replace("$", r"\$")


def symbol(name: str) -> str:
    """A state's or parameter's name as mathematics, x1 with its index; any other, or a long one, as short text."""
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        return plain(line(name, LONGEST_NAME))
    written = sympy.latex(sympy.Symbol(name))
    # A word, not a product of letters.
    label = f"$\\mathrm{{{name}}}$" if written == name and len(name) > 1 else f"${written}$"
    try:
        MathTextParser("path").parse(label)
    except ValueError:
        return plain(line(name, LONGEST_NAME))
    return label


def label_of_time(unit: Any) -> str:
    """Of an axis of time, with the unit that a dataset states, if it states one."""
    shown = line(unit, LONGEST_NAME)
    return "time $t$" if shown in ("", "1") else f"time $t$ ({plain(shown)})"


def parameters_label(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Values of parameters, as `System.to_dict` describes them, and the ranges of those that differ from row to row.

    Of many parameters only the latter.
    """
    shown = {
        name: one for name, one in parameters.items() if len(parameters) <= MOST_PARAMETERS or _varies(one)
    }
    labels = [f"{symbol(name)} {_values(one)}" for name, one in shown.items()]
    more = [f"{len(labels) - MOST_PARAMETERS} more by row"] if len(labels) > MOST_PARAMETERS else []
    return ", ".join([*labels[:MOST_PARAMETERS], *more])


def _varies(parameter: Mapping[str, Any]) -> bool:
    value = parameter.get("value")
    return not isinstance(value, int | float) or not math.isfinite(value)


def _values(parameter: Mapping[str, Any]) -> str:
    if not _varies(parameter):
        return f"= {parameter['value']:.4g}"
    others = parameter.get("by_split")
    others = others if isinstance(others, Mapping) else {}
    told = [f"{plain(line(split, LONGEST_NAME))} {_range(draw)}" for split, draw in others.items()]
    own = _range(parameter.get("draw"))
    return f"{own} ({', '.join(told)})" if told else own


def _range(draw: Any) -> str:
    """Of the values that a draw gives."""
    numbers = list(dict.fromkeys(_drawn(draw)))
    if not numbers:
        return "by row"
    if len(numbers) == 1:
        return f"= {numbers[0]:.4g}"
    if len(numbers) <= MOST_VALUES and "values" in draw:
        return f"in {{{', '.join(f'{number:g}' for number in numbers)}}}"
    return f"in [{min(numbers):g}, {max(numbers):g}]"


def _drawn(draw: Any) -> list[float]:
    """The values that a draw, perhaps a stranger's, takes in turn, or the ends of its range; none if it is none."""
    match draw:
        case {"values": [*numbers]} | {"uniform": [*numbers]} | {"log_uniform": [*numbers]} if all(
            map(_is_number, numbers)
        ):
            return numbers
        case {"grid": [low, high, _]} if _is_number(low) and _is_number(high):
            return [low, high]
    return []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def widen(axes: Axes) -> None:
    """Let an axis whose data hardly vary span five per cent of their size either way: what varies is rounding."""
    for limits, change in ((axes.get_xlim(), axes.set_xlim), (axes.get_ylim(), axes.set_ylim)):
        low, high = min(limits), max(limits)
        size = max(abs(low), abs(high))
        if high - low < HARDLY * size:
            change((low + high) / 2 - 0.05 * size, (low + high) / 2 + 0.05 * size)


def alike(width: float, height: float) -> bool:
    """Are two ranges so alike that one scale for both squashes neither?"""
    return 0 < max(width, height) <= ALIKE * min(width, height)


def equal_scales(axes: Axes, adjustable: Literal["box", "datalim"] = "datalim") -> None:
    """One scale for both axes, so that circles are circles, unless that would squash what is drawn.

    adjustable  what gives way: the shape of the axes, or what they show
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    if alike(abs(right - left), abs(top - bottom)):
        axes.set_aspect("equal", adjustable=adjustable)


def plane_figure(width: float, low: np.ndarray, high: np.ndarray) -> Figure:
    """A figure of a plane, from low (2,) to high (2,): as high as equal scales need, else a little less than wide."""
    across, up = (high - low).tolist()
    return new_figure(width, (width - 0.8) * (up / across if alike(across, up) else 0.8) + 1.0)


def check_drawn(name: str, figure: Any) -> None:
    """Raise DataError if what the function of that name gave is no figure."""
    if not isinstance(figure, Figure):
        raise DataError(
            f"{name}: gave {figure!r:.80}, no figure; expected a matplotlib.figure.Figure, or None where there is "
            "nothing to draw"
        )


def check_png(path: Path) -> None:
    """Raise DataError unless a figure can have this name."""
    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: figures are PNG files; give it a name that ends in .png")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the picture alone. Raises DataError if its name is of another kind."""
    check_png(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=STYLE["savefig.dpi"], metadata={"Software": None})
