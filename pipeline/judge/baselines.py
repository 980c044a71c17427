"""Which baselines stand beside what is judged, fitted on the train split."""

from collections.abc import Sequence

from ...data.base.own_code import OwnCode
from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.manifest_reading import load_manifest
from ..runs.code import Classes
from ..runs.splits import open_split
from ..runtime.blas import one_blas_thread
from .forecasters.examples import Examples
from .forecasters.forecaster import Baseline
from .forecasters.registry import BASELINES, usual
from .truth import Truth

# Neighbouring states that baselines are fitted on, and validated on; and points of stretches of rows.
FITTED, VALIDATED = 20_000, 5_000
SERIES = 10_000


def fit_baselines(
    train: TrajectoryDataset,
    truth: Truth | None,
    names: Sequence[str] | None = None,
    code: OwnCode | None = None,
    given: Classes | None = None,
) -> dict[str, Baseline]:
    """Those of these names; None are the usual ones for such data. Without those that make no sense for it.

    code, given  as of `Registry.find`, for what is not ours
    """
    if names is None:
        noisy = train.store.config.get("observation", {}).get("noise") is not None
        # What was measured is seldom all there is, and seldom exact.
        partial = truth is None or (len(truth.observed) < len(truth.system.states) or truth.system.retarded)
        names = usual(noisy=noisy, partial=partial)
    parameters = () if truth is None else tuple(truth.system.parameters)
    fitted = Examples.of(train, parameters, FITTED, SERIES)
    if load_manifest(train.store.path).splits["validation"].trajectories:
        validation = open_split(train.store.path, "validation", train.task, dtype=train.dtype)
        validated = Examples.of(validation, parameters, VALIDATED, SERIES)
    else:
        fitted, validated = fitted.parted()
    kinds = {name: BASELINES.find(name, code, given) for name in names}
    with one_blas_thread():
        found = {name: kind.fit(fitted, validated) for name, kind in kinds.items()}
    return {name: baseline for name, baseline in found.items() if baseline is not None}
