"""A trained run, judged on the test split: its errors beside trivial predictors, and long rollouts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ...models import Model, count_parameters
from ..config.file import override_evaluation
from ..config.learning import TrainingSection
from ..runs.code import Classes, brought_code, kept_code, make_task
from ..runs.device import choose_threads, find_device
from ..runs.files import RunError
from ..runs.folder import METRICS
from ..runs.model import load_trained
from ..runs.summary import load_summary
from .fit import judge_fit
from .fitted import fitted_where_learned, warn_of_no_baselines
from .judgement import judge
from .judging import Judging
from .predictions import BATCH
from .results import described, prepare_results, save


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    console: Console | None = None,
    *,
    models: Classes | None = None,
    trust_code: bool = False,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Judge a run's best weights on the test split of its dataset, or of another one of the same kind.

    Writes RUN/metrics.json, which is also returned, and RUN/evaluation.npz for the figures. All errors are in
    raw units, of predictions that are finite. Memory does not grow with the test split. Baselines are fitted on what
    the run was trained on, whatever is judged.

    Args:
        run: Its folder.
        data: Another dataset than the one trained on.
        console: Where progress is shown; None shows none.
        models: As of `load_trained`, for what is not ours.
        trust_code: As of `load_trained`.
        overrides: Of the run's [evaluation], as "evaluation.metrics=['d_stsp']"; a file of code that they name, and
            the run has not kept, is looked for in the current folder.
        out: Another folder than the run's for what is written, and what `plot` takes for its figures.
        overwrite: Whether to throw away other results that this folder holds.

    Raises:
        TrajstoreError: The run or the dataset cannot be used, or no prediction is finite.
    """
    console, run = console or Console(quiet=True), Path(run)
    config, model = load_trained(run, models=models, trust_code=trust_code)
    training = load_summary(run)
    learning = config.learning.with_code(kept_code(run, trusted=trust_code))
    evaluation = override_evaluation(learning.evaluation, overrides)
    given = {**brought_code(learning, evaluation), **(models or {})}
    data = config.find_dataset(run) if data is None else Path(data)
    _place(model, learning.training)
    task = make_task(learning, models)
    judging = Judging.of(data, "test", config, task, model, evaluation)
    judging, elsewhere = fitted_where_learned(judging, config, task, run, console)
    warn_of_no_baselines(judging, console)
    folder, judged = run if out is None else Path(out), judging.test.store.id
    own = None if out is None else prepare_results(folder, run, config, judged, overwrite)
    judgement = judge(judging, evaluation, console, learning.code, given)
    fit = judge_fit(data, config, task, model)
    who = {"name": learning.model.name, "parameters": count_parameters(model)}
    found = {
        **judgement.metrics,
        "train": fit,
        "training": training,
        "model": who,
        "dataset": described(judging.test),
        **elsewhere,
    }
    save(folder, found, judgement.arrays, own)
    if elsewhere and out is None:
        _tell_what_was_replaced(run, data, console)
    return found


def _tell_what_was_replaced(run: Path, data: Path, console: Console) -> None:
    console.print(
        f"{run / METRICS} tells of {data} now, and no more of what the run was trained on; with --out DIR it "
        f"stays as it was, and `trajstore evaluate {run}` makes it again",
        soft_wrap=True,
    )


def _place(model: Model, training: TrainingSection) -> None:
    """On the device of the training, if it is here, else the CPU; and as many threads as it has use for."""
    try:
        device = find_device(training.device)
    except RunError:
        device = torch.device("cpu")
    model.to(device)
    torch.set_num_threads(choose_threads(training.threads, model.work(BATCH)))
