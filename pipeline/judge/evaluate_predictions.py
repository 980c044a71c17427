"""Predictions that another program made, judged like those of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from rich.console import Console

from ...data.batches.dataset import TrajectoryDataset
from ...data.batches.split import Store
from ...data.folder.manifest_reading import load_manifest
from ...data.folder.stated_grid import points_of
from ..config.file import override_evaluation
from ..config.learning import EvaluationSection
from ..runs.cut import check_steps
from ..runs.files import RunError
from ..runs.folder import RunConfig, prepare_evaluation
from .fitted import warn_of_no_baselines
from .judgement import judge
from .judging import EXACT, Judging
from .predictions_file import read_predictions
from .results import described, save
from .supplied import Supplied, SuppliedSamples
from .truth import Truth


def evaluate_predictions(
    predictions: str | Path | ArrayLike,
    data: str | Path,
    out: str | Path,
    console: Console | None = None,
    *,
    rows: ArrayLike | None = None,
    first: ArrayLike | None = None,
    overwrite: bool = False,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge predictions of the test split that another program made, by the metrics that networks are judged by.

    Writes OUT/metrics.json, which is also returned, OUT/evaluation.npz and OUT/config.json, from which
    `plot(out)` draws the figures. Predictions that are not finite are counted, and left out of the errors; those of
    rows whose integration failed are left out.

    Args:
        predictions: (N, T, D) in raw units, or an `.npz` file that holds it, and perhaps `rows` and `first`.
        data: The dataset.
        out: Folder of the results.
        console: Where progress is shown; None shows none.
        rows: (N,) numbers of rows in the split; left out where there is a prediction for each row, in order.
        first: Index of the first predicted point, a number or (N,); left out where whole rows are predicted.
        overrides: Of [evaluation], as "evaluation.metrics=['d_stsp']".
        overwrite: Whether to throw away other results that the folder holds.

    Raises:
        RunError: Shapes or names are not those of the split, the folder holds something else, or no prediction is
            finite.
        TrajstoreError: The dataset cannot be used.
    """
    console, data, out = console or Console(quiet=True), Path(data), Path(out)
    if not load_manifest(data).splits["test"].trajectories:
        raise RunError(
            f"{data}: has no test trajectories; generate it with dataset.test > 0, or import it with --test"
        )
    check_steps(data, "train", "validation", "test")
    supplied, file = _supplied(predictions, rows, first, Store(data, "test"))
    samples = SuppliedSamples(supplied, data)
    settings = override_evaluation(EvaluationSection(), overrides)
    who = {"name": "predictions", "file": None if file is None else str(file), "sha256": supplied.hash}
    config = RunConfig.of_predictions(who, settings, samples.test, data, out)
    prepare_evaluation(out, config, overwrite)
    truth = Truth.of(samples.test)
    train = _train(data, samples.test)
    judging = Judging(train, samples, truth, samples.plan(), samples.follow, samples.plan_free, fitted=train)
    warn_of_no_baselines(judging, console)
    judgement = judge(judging, settings, console)
    found = {**judgement.metrics, "model": who, "dataset": described(samples.test)}
    found["test"] |= {"left_out": supplied.left_out}
    save(out, found, judgement.arrays, config)
    return found


def _train(data: Path, test: TrajectoryDataset) -> TrajectoryDataset | None:
    """What baselines are fitted on; None where the dataset has none."""
    if not load_manifest(data).splits["train"].trajectories:
        return None
    window = min(points_of(test.store.config, "train"), test.windows.length)
    return TrajectoryDataset(data, "train", test.task, window=window, dtype=EXACT)


def _supplied(
    predictions: str | Path | ArrayLike, rows: ArrayLike | None, first: ArrayLike | None, store: Store
) -> tuple[Supplied, Path | None]:
    """What a file holds, and the file; or arrays. Raises RunError, which names the file, if they do not fit."""
    if not isinstance(predictions, str | Path):
        named = {"predictions": predictions, "rows": rows, "first": first}
        return Supplied.of(
            {name: values for name, values in named.items() if values is not None}, store
        ), None
    if rows is not None or first is not None:
        raise RunError("rows and first are given beside a file; expected them in it")
    file = Path(predictions)
    arrays = read_predictions(file, store)
    try:
        return Supplied.of(arrays, store), file
    except RunError as error:
        raise RunError(f"{file}: {error}") from None
