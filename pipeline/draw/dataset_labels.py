"""What the figures of a dataset share: title and legend, names as mathematics, text of strangers as text."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..describe.description import Description
from ..describe.phrases import line
from .dataset_sample import DatasetSample
from .style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    label_of_time,
    parameters_label,
    plain,
    symbol,
)

SPLIT_COLOURS = {"train": BLUE, "validation": ORANGE, "test": GREEN}
FAILED = VERMILION
BOX: dict[str, Any] = {"lw": 0.7, "ls": (0, (4, 3))}
LONGEST_TITLE = 70
# Of a legend.
ENTRY_INCHES = 1.4


def finish(
    figure: Figure,
    sample: DatasetSample,
    what: str,
    *,
    legend: bool = True,
    crosses: bool = False,
    box: bool = False,
    note: str = "",
) -> Figure:
    """Title, parameters, what is left out of the picture, colours of the splits, perhaps of failed rows and a box."""
    description = Description(sample.manifest)
    system = description.understood
    values = "" if system is None else parameters_label(system.to_dict()["parameters"])
    notes = [text for text in (values, note) if text]
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
        if box:
            names.append("drawn from this box")
            handles.append(Line2D([], [], color=BLACK, **BOX))
        lines = -(-len(names) // max(1, int(figure.get_figwidth() // ENTRY_INCHES)))
        columns = -(-len(names) // lines)
        figure.legend(handles, names, loc="outside lower center", ncols=columns, columnspacing=1.4)
    return figure


def label(sample: DatasetSample, component: int) -> str:
    """A component's name, as mathematics where it is a name that equations could have."""
    return symbol(sample.manifest.components[component])


def time_label(sample: DatasetSample) -> str:
    return label_of_time(Description(sample.manifest).time_unit)
