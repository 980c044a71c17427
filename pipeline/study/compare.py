"""Runs side by side, whoever trained them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.base.hashing import json_hash
from ..runs.files import RunError, read_text
from ..runs.folder import METRICS, RunConfig
from .conditions import conditions
from .results import Row, rows_of

# Keys of [evaluation] that change nothing of the numbers of others.
BESIDE = ("metrics", "baselines", "figures")
# Characters of a hash in a label.
SHOWN = 6


def rows_of_runs(runs: Sequence[Path]) -> tuple[list[Row], list[str]]:
    """The rows of evaluated runs, and of the baselines beside them; and under which conditions they were judged.

    Runs that differ by their seed alone are one model; one that is named twice counts once.

    Raises RunError if one is no run, or not yet evaluated.
    """
    once = {run.resolve(): run for run in runs}.values()
    loaded = [(run, RunConfig.load(run), _metrics(run)) for run in once]
    labels = _labels([(run, config) for run, config, _ in loaded])
    rows: list[Row] = []
    for run, config, metrics in loaded:
        dataset = _dataset(metrics)
        seconds = {"train": metrics.get("training", {}).get("seconds"), "evaluate": None}
        found = {"metrics": metrics, "seconds": seconds, "error": None}
        seed = config.learning.training.seed
        for row in rows_of(dataset, labels[run], seed, {}, found):
            known = any(
                (row.dataset, row.model, row.kind) == (other.dataset, other.model, other.kind)
                for other in rows
            )
            # Baselines are the same beside each run.
            if row.kind == "model" or not known:
                rows.append(row)
    return rows, list(conditions((_dataset(metrics), metrics) for _, _, metrics in loaded))


def _dataset(metrics: dict[str, Any]) -> str:
    return f"{metrics['dataset']['system']}-{metrics['dataset']['id'][:8]}"


def _metrics(run: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(read_text(run / METRICS))
    except FileNotFoundError:
        raise RunError(f"{run}: {METRICS} is missing; run `trajstore evaluate {run}` first") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{run}: {METRICS} cannot be read ({error}); evaluate it again") from None
    told = metrics.get("dataset") if isinstance(metrics, dict) else None
    if not isinstance(told, dict) or not {"system", "id"} <= told.keys() or "test" not in metrics:
        raise RunError(f"{run}: {METRICS} is not what an evaluation writes; evaluate it again")
    return metrics


def _labels(runs: Sequence[tuple[Path, RunConfig]]) -> dict[Path, str]:
    """The name of the model where that tells them apart, else the names of the folders."""
    groups: dict[str, list[tuple[Path, str]]] = {}
    for run, config in runs:
        learning = config.learning.learning()
        learning["training"] = {key: value for key, value in learning["training"].items() if key != "seed"}
        judged = config.config["evaluation"]
        learning["evaluation"] = {key: value for key, value in judged.items() if key not in BESIDE}
        name = config.learning.model.name
        if config.predictions is not None:
            learning, name = {"predictions": config.predictions["sha256"]}, run.resolve().name
        groups.setdefault(json_hash(learning), []).append((run, name))
    names = [group[0][1] for group in groups.values()]
    folders = {
        key: "+".join(sorted({run.resolve().name for run, _ in group})) for key, group in groups.items()
    }
    found = {}
    for key, group in groups.items():
        for run, name in group:
            label = name if names.count(name) == 1 else folders[key]
            # Folders of one name may lie in several places.
            alike = label == folders[key] and list(folders.values()).count(label) > 1
            found[run] = f"{label} ({key[:SHOWN]})" if alike else label
    return found
