"""Progress on stderr, a line for each task: how far, how fast, how long still."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

# Characters of the bar itself: at most, and as few as it is still one with.
LONGEST, SHORTEST = 40, 8


class _Words(ProgressColumn):
    """Words, some of them other columns, that stay together.

    Args:
        parts: The words and the columns.
        spare: Whether others are left out before it, where there is no room: the greater, the earlier; 0 is never.
    """

    def __init__(self, *parts: str | ProgressColumn, spare: int = 0) -> None:
        super().__init__(Column(no_wrap=True))
        self._parts, self.spare = parts, spare
        self.max_refresh = max(
            (part.max_refresh or 0.0 for part in parts if isinstance(part, ProgressColumn)), default=0.0
        )

    def render(self, task: Task) -> Text:
        told = [Text(part) if isinstance(part, str) else part.render(task) for part in self._parts]
        return Text(" ").join(part for part in told if isinstance(part, Text))


class _Bar(BarColumn):
    spare = 1

    def __init__(self) -> None:
        super().__init__(None, table_column=Column(max_width=LONGEST))


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class FieldColumn(ProgressColumn):
    """A task's field, named and with three digits; nothing as long as it is no number."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render(self, task: Task) -> Text:
        value = task.fields[self._name]
        return Text(f"{self._name} {value:.3g}" if math.isfinite(value) else "")


class Bars(Progress):
    """A line for each task, and one alone: where the terminal is narrow the bar is short, and what is least needed is
    left out.

    Args:
        unit: Of what is counted, or what tells how much is done.
        speed: How fast; True is units a second, False where each takes longer than that.
        more: What is shown behind the time that is left.
        options: Of `rich.progress.Progress`.
    """

    def __init__(
        self,
        unit: str | ProgressColumn,
        *more: ProgressColumn,
        speed: ProgressColumn | bool = True,
        **options: Any,
    ) -> None:
        count = (MofNCompleteColumn(), unit) if isinstance(unit, str) else (unit,)
        fast = _SpeedColumn() if speed is True else speed
        self._all: list[_Words | _Bar] = [
            _Words(TextColumn("{task.description}")),
            _Bar(),
            _Words(*count),
            *((_Words(fast, spare=2),) if fast else ()),
            _Words("after", TimeElapsedColumn(), spare=3),
            _Words("left", TimeRemainingColumn()),
            *(_Words(column) for column in more),
        ]
        super().__init__(*self._all, **options)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        rows, kept = [task for task in tasks if task.visible], list(self._all)
        for column in sorted(kept, key=lambda each: -each.spare):
            # Rich asks before there is a console, when there is no task either.
            if not rows or not column.spare or _width(kept, rows) <= self.console.width:
                break
            kept.remove(column)
        table = Table.grid(*(column.get_table_column().copy() for column in kept), padding=(0, 1))
        for task in rows:
            table.add_row(*(column(task) for column in kept))
        return table


def _width(columns: Sequence[_Words | _Bar], tasks: Sequence[Task]) -> int:
    """Of lines with a short bar."""
    told = [[column(task) for task in tasks] for column in columns]
    widths = [
        max((text.cell_len if isinstance(text, Text) else SHORTEST for text in texts), default=0)
        for texts in told
    ]
    return sum(widths) + len(widths) - 1
