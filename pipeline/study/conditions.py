"""Under which conditions numbers of a table were had, without which they say little."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..judge.metrics.d_stsp import BINS
from .results import Row, label_of


def conditions(judged: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """A line for all datasets that have the same: how many rollouts of what length from what history, and what
    free runs.

    judged  datasets, each with what metrics.json says of something on it
    """
    of: dict[str, list[Mapping[str, Any]]] = {}
    for dataset, metrics in judged:
        if metrics.get("rollout"):
            of.setdefault(dataset, []).append(metrics["rollout"])
    alike: dict[str, list[str]] = {}
    for dataset, rollouts in of.items():
        told = [
            f"{_span(rollouts, 'trajectories')} rollouts over t = {_span(rollouts, 'duration')} after "
            f"{_span(rollouts, 'warmup')} points of history"
        ]
        if integrated := [each for each in rollouts if "tolerance" in each]:
            told.append(f"learned fields integrated to {_span(integrated, 'tolerance')} a step")
        if statistics := [each["statistics"] for each in rollouts if "statistics" in each]:
            told.append(
                f"statistics of {_span(statistics, 'runs')} free runs of {_span(statistics, 'points')} points "
                f"each beside as many true ones, by {BINS} bins a dimension"
            )
        alike.setdefault("; ".join(told), []).append(dataset)
    yield from (f"{', '.join(datasets)}: {text}." for text, datasets in alike.items())


LEGEND = (
    "Medians over seeds ± half the range from the least to the greatest; in bold the best; - is what could not be "
    "had, or not of each seed. Floors: of errors another true trajectory in the place of the prediction, of "
    "statistics two true runs, of the exponent that of the equations."
)


def missing(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    """A line for each model and metric of the table that some of its seeds have, and others have not."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        if row.error is None and row.seed is not None:
            of.setdefault(f"{row.dataset}, {label_of(row.model, row.varied)}", []).append(row)
    for label, group in of.items():
        for name in columns:
            having = sum(name in row.metrics for row in group)
            if 0 < having < len(group):
                yield f"{label}: {name} of {having} of {len(group)} seeds alone, so that it has no median."


def _span(found: Sequence[Mapping[str, float]], key: str) -> str:
    low, high = (how(each[key] for each in found) for how in (min, max))
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"
