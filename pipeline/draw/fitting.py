"""Text that fits: long titles are wrapped and long labels made smaller, so that none is cut off at an edge."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.text import Text

# Inches between text and the edge, or the next panel.
MARGIN = 0.06
# In points: smaller text is not read.
SMALLEST = 4.0
# Parts of the figure's height that a title may take, and the title of a panel.
TITLE, PANEL_TITLE = 0.3, 0.15
MATHEMATICS = r"\$(?:\\.|[^$\\])*\$"
# Spaces in mathematics end no word, and an escaped dollar is a letter.
WORD = re.compile(rf"(?:\\\$|{MATHEMATICS}|[^ ])+")
LETTER = re.compile(rf"\\\$|{MATHEMATICS}|.")


class FittedLayout(ConstrainedLayoutEngine):
    """matplotlib's constrained layout, of titles, labels and legends that were made to fit the figure and panels."""

    def execute(self, fig: Figure) -> dict[str, Any] | None:
        edge = MARGIN * fig.dpi
        for text in _called(fig.texts, fig.get_suptitle()):
            _wrap(text, fig.bbox.width - text.get_window_extent().x0 - edge, TITLE * fig.bbox.height)
        done = super().execute(fig)
        # A label that is made smaller moves the panels, and one scale for both axes moves the titles.
        for _ in range(3):
            changed = [_fit_panel(fig, axes, edge) for axes in fig.get_axes()]
            changed += [_fit_legend(legend, fig.bbox.width - 2 * edge) for legend in fig.legends]
            boxes = [axes.get_tightbbox() for axes in fig.get_axes()]
            changed += [box is not None and box.y1 > fig.bbox.height for box in boxes]
            if not any(changed):
                break
            done = super().execute(fig)
        return done


def _fit_panel(figure: Figure, axes: Axes, edge: float) -> bool:
    """Whether a title or a label had to change."""
    frame = axes.get_window_extent()
    others = [other.get_window_extent().x0 for other in figure.get_axes()]
    right = min([figure.bbox.width, *(x for x in others if x > frame.x1)])
    titles = [
        _wrap(text, right - frame.x0 - edge, PANEL_TITLE * figure.bbox.height)
        for text in _called(axes.get_children(), axes.get_title("left"))
    ]
    across, up = axes.xaxis.label, axes.yaxis.label
    wide = _shrink(across, (frame.width + 2 * edge) / max(1.0, across.get_window_extent().width))
    high = _shrink(up, (frame.height + 2 * edge) / max(1.0, up.get_window_extent().height))
    return any(titles) or wide or high


def _fit_legend(legend: Legend, width: float) -> bool:
    part = width / max(1.0, legend.get_window_extent().width)
    shrunk = [_shrink(text, part) for text in legend.get_texts()]
    return any(shrunk)


def _called(artists: Iterable[object], text: str) -> list[Text]:
    return [one for one in artists if isinstance(one, Text) and text and one.get_text() == text]


def _shrink(text: Text, part: float) -> bool:
    size = float(text.get_fontsize())
    if part >= 1 or size <= SMALLEST:
        return False
    text.set_fontsize(max(SMALLEST, part * size))
    return True


def _wrap(text: Text, width: float, height: float) -> bool:
    """Break lines at spaces, and words that are too long themselves, so that the text fits into so many pixels.

    It is smaller where that alone leaves it too high. Whether it had to change.
    """
    told = text.get_text()

    def fits(line: str) -> bool:
        text.set_text(line)
        return text.get_window_extent().width <= width

    changed = False
    while True:
        box, size = text.get_window_extent(), float(text.get_fontsize())
        if box.height <= height and box.width <= width:
            return changed
        lines = [line for one in told.split("\n") for line in _broken(one, fits)]
        text.set_text("\n".join(lines))
        box, changed = text.get_window_extent(), changed or lines != told.split("\n")
        if size <= SMALLEST or (box.height <= height and box.width <= width):
            return changed
        text.set_fontsize(max(SMALLEST, 0.85 * size))
        changed = True


def _broken(line: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """One line as the lines that fit."""
    if fits(line):
        yield line
        return
    now = ""
    for word in WORD.findall(line):
        longer = f"{now} {word}" if now else word
        if fits(longer):
            now = longer
            continue
        if now:
            yield now
        now = ""
        for letter in LETTER.findall(word):
            if now and not fits(now + letter):
                yield now
                now = ""
            now += letter
    if now:
        yield now
