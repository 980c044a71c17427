"""How right a learned energy is, up to the constant that no field tells."""

import numpy as np
import torch

from .predictions import NetworkSamples
from .truth import Truth


@torch.no_grad()
def judge_energy(samples: NetworkSamples | None, truth: Truth | None) -> dict[str, float]:
    """Of a network that learned an energy, what `test` of metrics.json has of it.

    Args:
        samples: Its slopes at states without noise; None where these are not known.
        truth: The equations; None of measured data.

    Returns:
        `energy_l2`: the relative L2 error of H over the states of the split: the deviation of what it differs by from
        the true one, over that of the true one. The mean of it, a constant, is no error.
    """
    if samples is None or truth is None or not samples.has_energy:
        return {}
    system = truth.system
    if system.energy is None or system.energy.has(system.time_symbol):
        return {}
    if tuple(system.states) != tuple(samples.test.components):
        return {}
    sums, shifts, count = np.zeros((2, 2)), None, 0
    for numbers, states, learned in samples.energies():
        parameters = truth.parameters(samples.test.places(numbers)[0])
        true = system.along(system.energy, states, parameters, np.zeros(states.shape[1]))
        values = np.stack([learned - true, np.broadcast_to(np.asarray(true), learned.shape)]).reshape(2, -1)
        # Sums of squares keep their digits only near zero.
        shifts = values.mean(axis=1, keepdims=True) if shifts is None else shifts
        sums += np.stack([(values - shifts).sum(axis=1), np.square(values - shifts).sum(axis=1)])
        count += values.shape[1]
    if not np.isfinite(sums).all():
        return {}
    missed, spread = sums[1] / count - np.square(sums[0] / count)
    return {"energy_l2": float(np.sqrt(max(missed, 0.0) / spread))} if spread > 0 else {}
