"""An evaluated run as one page: its errors beside those of the baselines, its figures, its config."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....data.folder.elsewhere import refuse_inside
from ...describe.phrases import line
from ...judge.columns import COLUMNS, explained
from ..page import Page, PageTable, svg_of, write_page
from .plot import drawn, load_results


def view_run(run: Path, out: Path | None = None, *, trust_code: bool = False) -> Path:
    """Write the page of an evaluated run; its path, beside the run's folder where `out` is left out.

    Raises RunError if the folder is no run, or not evaluated, TrajstoreError if another file would be replaced.
    """
    whole = run.resolve()
    path = whole.with_name(f"{whole.name}.html") if out is None else out
    refuse_inside(path)
    results = load_results(run)
    figures = {name: svg_of(figure) for name, figure in drawn(run, results, trust_code=trust_code)}
    metrics, stored = results["metrics"], results["config"].config
    model = _section(metrics, "model")
    name = line(stored["system"]["name"])
    facts = {
        "dataset id": line(_section(metrics, "dataset").get("id")),
        "id of the dataset trained on": line(_section(metrics, "another_dataset").get("trained_on")),
        "system": name,
        "model": line(model.get("name")),
        "parameters of the model": _value(model.get("parameters")),
        "test MSE": _value(_section(metrics, "test").get("mse")),
        **_facts(_section(metrics, "training"), "training"),
    }
    page = Page(
        f"A run on {name}",
        "Its errors on the test split, beside those of the baselines.",
        {key: value for key, value in facts.items() if value},
        [_errors(metrics), _rollouts(metrics)],
        {"Config": json.dumps(results["trained"].config, indent=1, ensure_ascii=False)},
        figures,
    )
    write_page(page, path)
    return path


def _errors(metrics: Mapping[str, Any]) -> PageTable:
    own = line(_section(metrics, "model").get("name"))
    found = {own: _section(metrics, "test"), **_section(metrics, "baselines")}
    rows = [(name, _value(each.get("mse"))) for name, each in _each(found)]
    return PageTable("Errors", ("predictor", "test MSE"), rows)


def _rollouts(metrics: Mapping[str, Any]) -> PageTable:
    rollout = _section(metrics, "rollout")
    own = line(_section(metrics, "model").get("name"))
    found = {own: rollout, **_section(rollout, "baselines"), "floor": _section(rollout, "floors")}
    keys = [key for key in COLUMNS if any(key in each for _, each in _each(found))]
    rows = (
        [(name, *(_value(each.get(key)) or "-" for key in keys)) for name, each in _each(found)]
        if keys
        else []
    )
    return PageTable("Rollouts", ("rollout", *(COLUMNS[key] for key in keys)), rows, note=explained(keys))


def _facts(section: Mapping[str, Any], what: str) -> dict[str, str]:
    return {f"{what}: {line(key).replace('_', ' ')}": _value(value) for key, value in section.items()}


def _section(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _each(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((line(name), each) for name, each in found.items() if isinstance(each, Mapping))


def _value(value: Any) -> str:
    """A number in three digits, anything else as a line; nothing where there is none, or a table."""
    if value is None or isinstance(value, Mapping | list):
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if type(value) is int else line(value)
