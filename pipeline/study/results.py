"""What a study found: a row for each run and each baseline, and their summary over seeds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...data.base.hashing import canonical_json
from ..judge.metrics.registry import METRICS

COUNTS = (
    "trajectories",
    "failed",
    "windows",
    "finite",
    "one_step",
    "stateful_rows",
    "stateful_finite",
    "stateful_points",
    "left_out",
    "warmup",
    "duration",
    "tolerance",
    "with_cycle",
)


@dataclass(frozen=True)
class Row:
    """A run, or a baseline beside one.

    Attributes:
        dataset, model: The study's own labels.
        kind: "model" or "baseline".
        seed: Of the training; None of a baseline.
        varied: Keys that are varied, with their values.
        metrics, floors: Numbers by name.
        seconds: That training and judging took.
        error: What went wrong; None if nothing did.
    """

    dataset: str
    model: str
    kind: str
    seed: int | None
    varied: dict[str, Any]
    metrics: dict[str, float]
    floors: dict[str, float]
    seconds: dict[str, float | None]
    error: str | None = None


def label_of(model: str, varied: Mapping[str, Any]) -> str:
    """A model with what is varied."""
    return " ".join([model, *(f"{key}={value}" for key, value in varied.items())])


def rows_of(
    dataset: str, model: str, seed: int | None, varied: dict[str, Any], found: Mapping[str, Any]
) -> list[Row]:
    """A run's own row, and those of the baselines that were judged, beside it or without any (`seed` is None)."""
    seconds, error = found["seconds"], found["error"]
    if error is not None:
        kind = "baseline" if seed is None else "model"
        return [Row(dataset, model, kind, seed, varied, {}, {}, seconds, error)]
    metrics = found["metrics"]
    rollout = metrics.get("rollout") or {}
    floors = numbers(rollout.get("floors", {}))
    rows = []
    if seed is not None:
        judged = numbers(rollout)
        for part in ("test", "train"):
            judged |= {f"{part}_{name}": value for name, value in numbers(metrics.get(part, {})).items()}
        rows.append(Row(dataset, model, "model", seed, varied, judged, floors, seconds))
    none: dict[str, float | None] = {"train": None, "evaluate": None}
    for name, judged in rollout.get("baselines", {}).items():
        rows.append(Row(dataset, name, "baseline", None, varied, numbers(judged), floors, none))
    return rows


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a part of metrics.json, without what only counts."""
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in COUNTS
    }


def summary(rows: Iterable[Row], pooled: Collection[str] = ()) -> list[dict[str, Any]]:
    """Median, mean and deviation over the seeds, and the values of keys that are pooled, of what is the same but for
    these. A value of which one of the seeds failed does not count: its other seeds may be of the luckier ones.
    """
    rows = list(rows)
    failed = {_place(row) for row in rows if row.error is not None and values_of([row], pooled)}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.error is None and _place(row) not in failed:
            key = canonical_json([row.dataset, row.model, row.kind, without(row, pooled).varied])
            groups.setdefault(key, []).append(row)
    return [
        {
            "dataset": group[0].dataset,
            "model": group[0].model,
            "kind": group[0].kind,
            "varied": without(group[0], pooled).varied,
            "runs": len(group),
            **_pooled(group, pooled),
            **{
                name: {metric: float(how(values)) for metric, values in _by_metric(group).items()}
                for name, how in (("median", np.median), ("mean", np.mean), ("std", np.std))
            },
        }
        for group in groups.values()
    ]


def _place(row: Row) -> str:
    """What a row is of, but for its seed."""
    return canonical_json([row.dataset, row.model, row.kind, row.varied])


def without(row: Row, pooled: Collection[str]) -> Row:
    """A row that no longer says which of the values of these keys it is of."""
    return replace(row, varied={key: value for key, value in row.varied.items() if key not in pooled})


def values_of(rows: Iterable[Row], pooled: Collection[str]) -> set[str]:
    """The values of these keys that occur in rows, as JSON; without them, none."""
    found = [{key: value for key, value in row.varied.items() if key in pooled} for row in rows]
    return {canonical_json(each) for each in found if each}


def _pooled(group: list[Row], pooled: Collection[str]) -> dict[str, int]:
    values = values_of(group, pooled)
    return {"values": len(values)} if values else {}


def _by_metric(group: list[Row]) -> dict[str, list[float]]:
    """Of metrics that every one of the rows has: a median of some would be of the better ones."""
    common = [name for name in group[0].metrics if all(name in row.metrics for row in group)]
    return {name: [row.metrics[name] for row in group] for name in common}


def better() -> dict[str, str]:
    """Which of two values is better, "lower" or "higher", of each metric of ours that says so."""
    found: dict[str, str] = {}
    for name in METRICS.own:
        kind = METRICS.find(name)
        test = kind.over in ("targets", "rows")
        found |= {f"test_{key}" if test else key: way for key, way in kind.better.items()}
    for name in ("vpt", "vpt_04", "vpt_smape30"):
        found[f"{name}_lyapunov"] = "higher"
    return found | {"mse": "lower", "nrmse": "lower", "smape_100": "lower"}
