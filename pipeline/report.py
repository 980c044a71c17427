"""What the commands print: a few lines or a small table for people, JSON for programs."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..data.manifest import Manifest
from .generate import Summary
from .systems import System

IDENTITY_SHOWN = 16


def dataset_facts(manifest: Manifest) -> dict[str, Any]:
    """What `trajstore info --json` gives."""
    grid = manifest.config["grid"]
    return {
        "id": manifest.id,
        "format_version": manifest.format_version,
        "system": manifest.system,
        "components": manifest.components,
        "grid": grid,
        "engine": manifest.config["engine"],
        "dtype": manifest.config["dataset"]["dtype"],
        "seed": manifest.config["dataset"]["seed"],
        "bytes": manifest.bytes,
        "shards": len(manifest.shards),
        "splits": {
            name: {
                "trajectories": split.trajectories,
                "failed": split.failed,
                "shards": len(split.shards),
                "statistics": split.statistics.model_dump(),
            }
            for name, split in manifest.splits.items()
        },
    }


def print_dataset(console: Console, manifest: Manifest) -> None:
    """The same for people."""
    facts = dataset_facts(manifest)
    system, grid, engine = facts["system"], facts["grid"], facts["engine"]
    lines = [
        ("id", manifest.id[:IDENTITY_SHOWN]),
        ("system", system["name"]),
        *(("", f"{state}' = {system['equations'][state]}") for state in system["states"]),
        *(("", f"{name} = {parameter['value']:g}") for name, parameter in system["parameters"].items()),
        ("grid", f"{grid['points']} points from 0 to {grid['duration']:g}, {grid['resample']}"),
        (
            "engine",
            f"{engine['name']} {engine.get('method', '')}, tolerance {engine.get('tolerance', 0.0):.3g}",
        ),
        ("stored", f"{facts['dtype']}, {facts['shards']} shards, {facts['bytes'] / 1e6:,.1f} MB"),
    ]
    for label, text in lines:
        console.print(f"{label:<8}{text}", highlight=False, markup=False, soft_wrap=True)
    table = Table("split", "rows", "failed", "state", "mean", "std", "min", "max", box=box.SIMPLE_HEAD)
    for name, split in facts["splits"].items():
        moments = split["statistics"]
        rows = zip(*(moments[key] for key in ("mean", "std", "minimum", "maximum")), strict=True)
        numbers = [[f"{value:.4g}" for value in row] for row in rows]
        heads = [(name, f"{split['trajectories']:,}", f"{split['failed']:,}")]
        for index, component in enumerate(manifest.components):
            head = heads[0] if index == 0 else ("", "", "")
            table.add_row(*head, component, *(numbers[index] if numbers else ["-"] * 4))
    console.print(table)


def print_summary(console: Console, summary: Summary) -> None:
    """What `generate` did."""
    manifest = summary.manifest
    failed = {name: split.failed for name, split in manifest.splits.items() if split.failed}
    rate = f" at {summary.rows / summary.seconds:,.0f} rows/s" if summary.rows else ""
    console.print(
        f"{summary.written} shards written, {summary.reused} found right; {summary.rows:,} rows integrated in "
        f"{summary.seconds:.2f} s{rate}; {manifest.bytes / 1e6:,.1f} MB; id {manifest.id[:IDENTITY_SHOWN]}",
        highlight=False,
        soft_wrap=True,
    )
    for name, count in failed.items():
        total = manifest.splits[name].trajectories
        console.print(
            f"{name}: {count:,} of {total:,} rows failed; they are kept as NaN with a status that says why",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def print_system(console: Console, system: System) -> None:
    """A system's equations, plain and as LaTeX, its parameters and its box of initial states."""
    console.print(system.name, style="bold", highlight=False)
    for text in filter(None, (system.description, system.reference)):
        console.print(text, highlight=False)
    for (state, text), latex in zip(system.equations.items(), system.latex(), strict=True):
        console.print(f"  {state}' = {text}", highlight=False, markup=False)
        console.print(f"  {latex}", highlight=False, markup=False, style="dim")
    for name, parameter in system.parameters.items():
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        console.print(
            f"  {name} = {parameter.value:g}{unit}   {parameter.meaning}", highlight=False, markup=False
        )
    for name, (low, high) in system.initial_state.items():
        console.print(f"  {name}(0) in [{low:g}, {high:g}]", highlight=False, markup=False)


def print_metrics(console: Console, metrics: dict[str, Any]) -> None:
    """Test errors beside the trivial predictors, and the long rollouts."""
    test = metrics["test"]
    table = Table("predictor", "test MSE", "times the model's", box=box.SIMPLE_HEAD)
    table.add_row(metrics["model"]["name"], f"{test['mse']:.3g}", "1")
    for name, baseline in sorted(metrics["baselines"].items(), key=lambda item: item[1]["mse"]):
        table.add_row(name, f"{baseline['mse']:.3g}", f"{baseline['mse'] / test['mse']:.3g}")
    console.print(table)
    rollout = metrics["rollout"]
    if rollout is None:
        return
    valid = rollout["valid_prediction_time"]["median"]
    console.print(
        f"rollouts: {rollout['trajectories']} over t = {rollout['duration']:g}; valid until {valid:g} (median)",
        highlight=False,
    )
    for what in ("amplitude", "period"):
        found = rollout[what]
        if found is None:
            continue
        error = found["relative_error"]
        said = "no cycle found" if error is None else f"{found['predicted']:.5f}, off by {error:.2g}"
        console.print(f"{what} of the cycle: {said}; true {found['true']:.5f}", highlight=False)
