"""One table of many runs: for people in Markdown, for programs as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..describe import phrases
from .file import tells_on_baselines
from .results import Row, better, label_of

# What there is of these is shown where a study names no columns.
USUAL = ("test_mse", "vpt_lyapunov", "vpt", "smape", "energy_mse", "d_stsp", "d_h", "lyapunov")
LONGEST = 60
# What counts rollouts that are not finite as wrong.
WHOLE = (
    "vpt",
    "vpt_04",
    "vpt_smape30",
    "vpt_lyapunov",
    "vpt_04_lyapunov",
    "vpt_smape30_lyapunov",
    "smape",
    "finite_share",
)


@dataclass(frozen=True)
class Line:
    """A line of the table of one dataset.

    Attributes:
        label: A model, with what is varied; or a baseline, the floor, or somebody else's.
        kind: "model", "baseline", "floor" or "published".
        runs: How many seeds its medians are of.
        values: By metric.
        best: Metrics in which nothing but the floor is better.
        spread: Half the way from the least to the greatest over seeds, by metric.
        covers: How many values its medians are over, of keys that are pooled; 0 where none are.
        whole: Whether all rollouts of all its runs are finite.
    """

    label: str
    kind: str
    runs: int
    values: dict[str, float]
    best: frozenset[str] = frozenset()
    spread: dict[str, float] | None = None
    covers: int = 0
    whole: bool = True


@dataclass(frozen=True)
class Table:
    """Columns, and lines for each dataset."""

    columns: tuple[str, ...]
    datasets: dict[str, list[Line]]


def make_table(
    rows: Sequence[Row],
    summary: Sequence[dict[str, Any]],
    published: Iterable[dict[str, Any]] = (),
    columns: Sequence[str] = (),
) -> Table:
    """Medians over seeds, the best marked, the floors and published values in lines of their own."""
    seen = {name for entry in summary for name in entry["median"]} | {
        name for row in rows for name in row.floors
    }
    shown = tuple(name for name in (columns or USUAL) if name in seen or columns)
    if not columns and "vpt_lyapunov" in shown:
        shown = tuple(name for name in shown if name != "vpt")
    datasets: dict[str, list[Line]] = {}
    for entry in summary:
        label = label_of(entry["model"], entry["varied"])
        covers = entry.get("values", 0)
        # Over the values of what is pooled it would be that of the values, not of the model.
        spread = None if covers else _spread(rows, entry)
        # Not the median, which one run of three does not move.
        whole = entry["mean"].get("finite_share", 1.0) == 1.0
        kind, median = entry["kind"], entry["median"]
        line = Line(label, kind, entry["runs"], median, spread=spread, covers=covers, whole=whole)
        datasets.setdefault(entry["dataset"], []).append(line)
    ways = better()
    for dataset, lines in datasets.items():
        marked = [_marked(line, lines, ways) for line in lines]
        marked += _floors([row for row in rows if row.dataset == dataset and row.floors])
        marked += [
            Line(
                f"{entry['model']} ({line_of(entry['source'])})",
                "floor" if entry.get("floor") else "published",
                0,
                entry["metrics"],
            )
            for entry in published
            if entry["dataset"] == dataset
        ]
        order = {"model": 0, "baseline": 1, "floor": 2, "published": 3}
        datasets[dataset] = sorted(marked, key=lambda each: order[each.kind])
    return Table(shown, datasets)


def line_of(text: str) -> str:
    return phrases.line(text, LONGEST)


def _spread(rows: Sequence[Row], entry: dict[str, Any]) -> dict[str, float]:
    """Over the seeds of a model."""
    group = [
        row.metrics
        for row in rows
        if row.error is None
        and (row.dataset, row.model, row.kind, row.varied)
        == (entry["dataset"], entry["model"], entry["kind"], entry["varied"])
    ]
    return {name: float(np.ptp([each[name] for each in group])) / 2 for name in entry["median"]}


def _floors(rows: Sequence[Row]) -> list[Line]:
    """A line for each combination of what is varied of data and judging: medians over its rows."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        varied = {key: value for key, value in row.varied.items() if tells_on_baselines(key)}
        groups.setdefault(label_of("floor: another true trajectory", varied), []).append(row)
    lines = []
    for label, group in groups.items():
        names = dict.fromkeys(name for row in group for name in row.floors)
        values = {
            name: float(np.median([row.floors[name] for row in group if name in row.floors]))
            for name in names
        }
        lines.append(Line(label, "floor", len(group), values))
    return lines


def _whole(line: Line, name: str) -> bool:
    """Is a metric of all rollouts? Errors are of those that are finite, which are the easier ones."""
    return name in WHOLE or line.whole


def _marked(line: Line, lines: Sequence[Line], ways: dict[str, str]) -> Line:
    best = set()
    # Medians over fewer of the values may be of the easier ones.
    lines = [other for other in lines if other.covers == max(each.covers for each in lines)]
    for name, way in ways.items() if line in lines else ():
        others = [other.values[name] for other in lines if name in other.values and _whole(other, name)]
        if len(others) > 1 and name in line.values and _whole(line, name):
            extreme = min(others) if way == "lower" else max(others)
            if line.values[name] == extreme:
                best.add(name)
    return replace(line, best=frozenset(best))


def cell(line: Line, column: str) -> str:
    """A value, with its spread where there are several runs."""
    if column not in line.values:
        return "-"
    spread = (line.spread or {}).get(column, 0.0) if line.runs > 1 and line.kind == "model" else 0.0
    return f"{line.values[column]:.3g}" + (f" ± {spread:.1g}" if spread else "")


def markdown(table: Table, notes: Iterable[str] = ()) -> str:
    """A table for each dataset; the best in bold."""
    parts = []
    for dataset, lines in table.datasets.items():
        pooled = any(line.covers for line in lines)
        head = "values" if pooled else "seeds"
        parts += [f"## {dataset}", "", f"| | {head} | " + " | ".join(table.columns) + " |"]
        parts.append("|---|---|" + "---|" * len(table.columns))
        for line in lines:
            cells = [
                f"**{cell(line, name)}**" if name in line.best else cell(line, name) for name in table.columns
            ]
            runs = str(line.covers or "") if pooled else str(line.runs) if line.kind == "model" else ""
            parts.append(f"| {line.label} | {runs} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join([*parts, *notes]).rstrip() + "\n"


def comma_separated(rows: Iterable[Row]) -> str:
    """The rows, a column for each metric and each floor."""
    rows = list(rows)
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    floors = list(dict.fromkeys(name for row in rows for name in row.floors))
    varied = list(dict.fromkeys(name for row in rows for name in row.varied))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ["dataset", "model", "kind", "seed", *varied, *metrics, *(f"floor_{name}" for name in floors)]
    writer.writerow([*heads, "train_seconds", "evaluate_seconds", "error"])
    for row in rows:
        writer.writerow(
            [
                row.dataset,
                row.model,
                row.kind,
                "" if row.seed is None else row.seed,
                *(row.varied.get(name, "") for name in varied),
                *(_exact(row.metrics.get(name)) for name in metrics),
                *(_exact(row.floors.get(name)) for name in floors),
                _exact(row.seconds["train"]),
                _exact(row.seconds["evaluate"]),
                row.error or "",
            ]
        )
    return text.getvalue()


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)
