"""What the figures of a dataset share: title and legend, names as mathematics, text of strangers as text."""

import numpy as np
import sympy
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser

from .dataset_sample import DatasetSample
from .figures import BLUE, GREEN, ORANGE, VERMILION
from .sharing.description import Description, line
from .systems.system import NAME, System

SPLIT_COLOURS = {"train": BLUE, "validation": ORANGE, "test": GREEN}
FAILED = VERMILION
LONGEST_TITLE, LONGEST_NAME = 70, 30


def finish(
    figure: Figure, sample: DatasetSample, what: str, *, legend: bool = True, crosses: bool = False
) -> Figure:
    """Title, what is left out of the picture, and the colours of the splits, perhaps of failed rows too."""
    description = Description(sample.manifest)
    notes = []
    if description.failed:
        notes.append(f"{description.failed:,} of {description.trajectories:,} rows failed")
        if not any(len(split.states) for split in sample.splits):
            notes[-1] += ", and none of the sample is sound"
    if len(sample.time) < sample.samples:
        notes.append(f"the first {len(sample.time):,} of {sample.samples:,} times")
    title = f"{plain(line(description.title, LONGEST_TITLE))}: {what}"
    figure.suptitle("\n".join([title, *filter(None, ["; ".join(notes)])]), x=0.02, ha="left", fontsize=10)
    if legend:
        names = [f"{split.name} ({split.rows:,})" for split in sample.splits]
        colours = [SPLIT_COLOURS[split.name] for split in sample.splits]
        handles = [Line2D([], [], color=colour, marker="o", ms=4) for colour in colours]
        if crosses and description.failed:
            names.append(f"failed ({description.failed:,})")
            handles.append(Line2D([], [], color=FAILED, marker="x", ms=5, ls=""))
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), columnspacing=1.4)
    return figure


def flow_of(sample: DatasetSample) -> str:
    """The values of the parameters that the flow is drawn with."""
    system = Description(sample.manifest).understood
    if system is None or system.kind != System.kind:
        return ""
    symbols = zip(system.parameter_symbols, system.defaults, strict=True)
    return "".join(
        f", ${sympy.latex(symbol)}$ = {value:g}" for symbol, value in symbols if np.isfinite(value)
    )


def label(sample: DatasetSample, component: int) -> str:
    """A component's name, as mathematics where it is a name that equations could have."""
    name = sample.manifest.components[component]
    if NAME.fullmatch(name):
        label = f"${sympy.latex(sympy.Symbol(name))}$"
        try:
            MathTextParser("path").parse(label)
        except ValueError:
            return plain(name)
        return label
    return plain(line(name, LONGEST_NAME))


def time_label(sample: DatasetSample) -> str:
    unit = plain(line(Description(sample.manifest).time_unit, LONGEST_NAME))
    return f"time $t$ ({unit})" if unit else "time $t$"


def plain(text: str) -> str:
    """Text that is no mathematics to matplotlib, and of characters that its font has."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in text).replace("$", r"\$")
