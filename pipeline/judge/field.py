"""How right a learned vector field is: at states without noise, and beside the least error that noise leaves."""

import numpy as np

from ...data.batches.dataset import TrajectoryDataset
from ...data.shard.schema import CLEAN_STATE
from .movement import spread
from .predictions import NetworkSamples

# Points from which what is known of a noisy state is taken, and noisy states of which it is asked.
KNOWN, ASKED = 20_000, 2_000


def judge_field(
    clean: NetworkSamples | None, train: TrajectoryDataset | None, test: TrajectoryDataset
) -> dict[str, float]:
    """Of a network that learned a field, what `test` of metrics.json has beside its errors.

    Args:
        clean: Its slopes at states without noise; None where these are not known.
        train: Of the same dataset, in raw units; None where it has none.
        test: In raw units.

    Returns:
        `field_mse`, the mean squared error of its slopes at states without noise; and, where all that it is told are
        states observed with noise, and both splits begin alike, `noise_floor`.
    """
    if clean is None:
        return {}
    total = count = 0.0
    for seen in clean.batches():
        missed = np.square(seen.batch.predicted - seen.batch.true)
        # Those that are not finite are counted in `finite`, as of other errors.
        missed = missed[np.isfinite(missed).all(axis=(1, 2))]
        total, count = total + float(missed.sum()), count + missed.size
    found = {"field_mse": total / count} if count else {}
    # The same states are to be as likely in both splits.
    alike = not test.store.config.get("initial_states_by_split")
    alone = CLEAN_STATE in test.store.variables and test.target != CLEAN_STATE and not clean.parameters
    if train is not None and alike and alone:
        known, slopes, _ = _points(train, KNOWN)
        found["noise_floor"] = noise_floor(known, slopes, *_points(test, ASKED))
    return found


def noise_floor(
    known: np.ndarray, slopes: np.ndarray, clean: np.ndarray, true: np.ndarray, seen: np.ndarray
) -> float:
    """The least mean squared error that a function of noisy states can have: that of the mean slope at such a state.

    Taken over the known states, each as likely as its distance makes it, with the noise for normal; and freed from
    what a mean of so few of them adds.

    Args:
        known: (N, D) states without noise, as often as they come.
        slopes: (N, D) dx/dt there.
        clean: (M, D) more of these, of which the noise is taken.
        true: (M, D) dx/dt there.
        seen: (M, D) the same with noise.
    """
    deviation = (seen - clean).std(axis=0)
    deviation[deviation == 0] = np.finfo(float).tiny ** 0.25
    errors, weights = [], []
    for here, slope in zip(seen, true, strict=True):
        near = np.square((known - here) / deviation).sum(axis=1)
        likely = np.exp(-0.5 * (near - near.min()))
        likely /= likely.sum()
        count = 1 / np.square(likely).sum()
        errors.append(np.square(slope - likely @ slopes).mean())
        weights.append(count / (1 + count))
    return float(np.mean(np.multiply(errors, weights)))


def _points(dataset: TrajectoryDataset, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States without noise, slopes there, and the states as observed, (n, D) each, spread over a split."""
    samples = spread(len(dataset), max(1, most // dataset.windows.length))
    clean, observed = (dataset.states(samples, name).double().numpy() for name in (CLEAN_STATE, "state"))
    slopes = dataset[samples][1].double().numpy()
    width = clean.shape[-1]
    return clean.reshape(-1, width), slopes.reshape(-1, width), observed.reshape(-1, width)
