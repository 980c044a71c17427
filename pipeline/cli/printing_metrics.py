"""What `evaluate` prints: test errors beside trivial predictors, and rollouts beside baselines and floors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table

from ..judge.columns import COLUMNS, explained
from ..runs.standing import ending

# Characters of an id.
SHOWN = 8
# Columns of characters, to measure how wide a table would like to be.
UNBOUNDED = 10_000


def print_metrics(console: Console, metrics: dict[str, Any]) -> None:
    """Test errors beside the trivial predictors, and the long rollouts."""
    test = metrics["test"]
    table = Table("predictor", "test MSE", "times the model's", box=box.SIMPLE_HEAD, highlight=True)
    table.add_row(metrics["model"]["name"], f"{test['mse']:.3g}", "1")
    for name, baseline in sorted(metrics["baselines"].items(), key=lambda item: item[1]["mse"]):
        times = f"{baseline['mse'] / test['mse']:.3g}" if test["mse"] else "-"
        table.add_row(name, f"{baseline['mse']:.3g}", times)
    console.print(table)
    for said in _elsewhere(metrics):
        console.print(said, soft_wrap=True)
    for said in _left_out(test):
        console.print(said, style="yellow", soft_wrap=True)
    for said in (*_by_step(test), *_of_fit(metrics)):
        console.print(said, soft_wrap=True)
    training = metrics.get("training", {})
    if said := ending(training):
        best = f"judged are the weights of step {training['best_step']:,}"
        console.print(f"{said}; {best}", soft_wrap=True)
    noise = test.get("noise")
    if noise is not None:
        floor = ", below which no test MSE can be expected" if noise["target"] == "observed" else ""
        console.print(
            f"noise of the observed states: RMS {noise['rms']:.3g}, MSE {noise['mse']:.3g}{floor}; the model's MSE "
            f"against the states without noise: {noise['model_mse_without_noise']:.3g}",
            soft_wrap=True,
        )
    if metrics["rollout"] is not None:
        if "vpt" in metrics["rollout"]:
            _print_rollouts(console, metrics["model"]["name"], metrics["rollout"])
        for line in _rollout_lines(metrics["rollout"]):
            console.print(line, soft_wrap=True)


def _print_rollouts(console: Console, model: str, rollout: Mapping[str, Any]) -> None:
    """What is judged, the baselines, the best first, and the floor; and what the columns are."""
    baselines = sorted(rollout["baselines"].items(), key=lambda item: -item[1].get("vpt", 0.0))
    rows = [(model, rollout), *baselines, ("floor", rollout.get("floors", {}))]
    keys = [key for key in COLUMNS if any(key in found for _, found in rows)]
    left, free = keys, console.options.update(width=UNBOUNDED)
    while left:
        # As many columns as there is room for; the others stand below.
        count = len(left)
        while (
            count > 1 and console.measure(_rollouts(rows, left[:count]), options=free).maximum > console.width
        ):
            count -= 1
        console.print(_rollouts(rows, left[:count]))
        left = left[count:]
    console.print(explained(keys), soft_wrap=True)


def _rollouts(rows: Sequence[tuple[str, Mapping[str, Any]]], keys: Sequence[str]) -> Table:
    """Names, and what these keys have of each."""
    heads = (Column(COLUMNS[key], no_wrap=True) for key in keys)
    table = Table("rollout", *heads, box=box.SIMPLE_HEAD, highlight=True, padding=(0, 1, 0, 0))
    for name, found in rows:
        table.add_row(name, *(f"{found[key]:.3g}" if key in found else "-" for key in keys))
    return table


def _by_step(test: Mapping[str, Any]) -> Iterator[str]:
    """Of what is given its inputs at every step: errors of the first and the later ones, and of whole rows."""
    if "first_mse" in test:
        later = f", after it {test['later_mse']:.3g}" if "later_mse" in test else ""
        yield f"MSE at the first step, where no past is known: {test['first_mse']:.3g}{later}"
    if "stateful_rows" not in test:
        return
    rows, finite = test["stateful_rows"], test["stateful_finite"]
    mse = f"MSE {test['stateful_mse']:.3g}" if finite else "nothing finite"
    if "stateful_later_mse" in test:
        mse += f", without the first step {test['stateful_later_mse']:.3g}"
    lost = f"; {rows - finite:,} of the rows are not finite, and left out" if 0 < finite < rows else ""
    yield (
        f"run over {rows:,} whole rows of {test['stateful_points']:,} points, one at a time, its memory kept: "
        f"{mse}{lost}"
    )


def _of_fit(metrics: Mapping[str, Any]) -> Iterator[str]:
    """How well what was learned from is fitted; of fields, how right they are where there is no noise."""
    test, fit = metrics["test"], metrics.get("train")
    if fit:
        yield f"over {fit['windows']:,} samples of the train split: MSE {fit['mse']:.3g}"
    if "field_mse" in test:
        floor = f"; noise leaves {test['noise_floor']:.3g} of the test MSE" if "noise_floor" in test else ""
        yield f"slopes at states without noise: MSE {test['field_mse']:.3g}{floor}"
    if "hamiltonian_error" in test:
        yield f"energy at the states of the test split: off by {test['hamiltonian_error']:.3g} of its deviation"


def _elsewhere(metrics: Mapping[str, Any]) -> Iterator[str]:
    """That another dataset was judged than the one trained on, and what baselines were fitted on."""
    if "another_dataset" not in metrics:
        return
    told, judged = metrics["another_dataset"], metrics["dataset"]
    where = {
        told["trained_on"]: "fitted on the train split that the run was trained on",
        judged["id"]: "fitted on its own train split, which the run has not seen",
        None: "left out, for nothing is there to fit them on",
    }
    yield (
        f"judged is another dataset than the one trained on: {judged['system']} ({judged['id'][:SHOWN]}, trained on "
        f"{told['trained_on'][:SHOWN]}); baselines are {where[told['baselines_fitted_on']]}"
    )


def _left_out(test: Mapping[str, Any]) -> Iterator[str]:
    """What of the predictions is not in the errors."""
    # Older results did not count them.
    lost = test["windows"] - test["finite"] if "finite" in test else 0
    if lost:
        yield f"{lost:,} of {test['windows']:,} predictions are not finite, and left out of the errors"
    failed = test.get("left_out")
    if failed:
        yield f"{failed:,} more predictions are of rows whose integration failed, and left out"


def _rollout_lines(rollout: Mapping[str, Any]) -> Iterator[str]:
    """How long rollouts are valid, and what cycle they come to; from how many starts, for one says little."""
    starts, end = rollout["trajectories"], rollout["duration"]
    if "statistics" in rollout:
        told = rollout["statistics"]
        yield (
            f"D_stsp, D_H and spectrum: {told['runs']} free runs of {told['points']:,} points each beside "
            f"as many true ones, without {told['dropped']:,} points at their beginning"
        )
    valid = rollout["valid_prediction_time"]["median"]
    until = f"{valid:g}, the end" if valid == end else f"{valid:g}"
    which = f"median of {starts} starts" if starts > 1 else "from 1 start alone; others may differ"
    how = f", integrated to {rollout['tolerance']:g} a step" if "tolerance" in rollout else ""
    yield f"rollouts over t = {end:g}{how}: valid until {until} ({which})"
    measured = rollout["with_cycle"]
    for what in ("amplitude", "period"):
        found = rollout[what]
        if found is None:
            continue
        true = f"true {found['true']:.5f}"
        if not measured:
            yield f"{what} of the cycle: {true}; no rollout swings evenly, so there is none to compare"
            continue
        which = f"median of {measured} of {starts} rollouts" if starts > 1 else "from 1 rollout alone"
        error = f"relative error {found['relative_error']:.2g}"
        yield f"{what} of the cycle: {found['predicted']:.5f}, {true}, {error} ({which})"
