"""How the Hamiltonian networks' paper (Greydanus, Dzamba and Yosinski 2019, arXiv:1906.01563) measures energy."""

import numpy as np
from trajstore.pipeline import Metric


class PaperEnergy(Metric):
    """`paper_energy_mse`: what q^2 + p^2 along a rollout differs by, squared, from the same along the truth.

    That is the energy of the spring. The paper takes it for the pendulum, too, where it goes up and down with each
    swing, so that a network that is only late has an error.
    """

    over = "rollouts"
    floor = "itself"

    def __init__(self, context):
        super().__init__(context)
        self._squares, self._count = 0.0, 0

    @classmethod
    def wanted(cls, context):
        return len(context.components) == 2

    def add(self, batch):
        finite = np.isfinite(batch.predicted).all(axis=(1, 2))
        energies = (np.square(states[finite]).sum(axis=2) for states in (batch.predicted, batch.true))
        missed = np.subtract(*energies)
        self._squares += float(np.square(missed).sum())
        self._count += missed.size

    def result(self):
        return {"paper_energy_mse": self._squares / self._count} if self._count else {}
