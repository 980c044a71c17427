"""What a row of a field errs, gathered along its way: errors are carried on as the linear part of the equation does.

What errs in a mode that decays is soon gone, which errors of single steps do not show. Modes that grow by themselves
are held by the others: of theirs it is counted what each step adds.
"""

import numpy as np

from .modes import Modes


class Gathered:
    """Errors of rows of these modes: some steps are measured, others taken to err as the last one that was."""

    def __init__(self, modes: Modes) -> None:
        self._modes = modes
        self._total: np.ndarray | float = 0.0
        self._error: np.ndarray | float = 0.0
        self._step, self._steps = 0.0, 0

    def add(self, step: float) -> None:
        """One more step."""
        if step != self._step:
            self._carry()
            self._step = step
        self._steps += 1

    def measure(self, before: np.ndarray, after: np.ndarray, step: float) -> np.ndarray:
        """Measure a step from one spectrum to the other, and add it; what is gathered (n,), relative to max |u|."""
        self._carry()
        self._error = self._modes.error(before, after, step)
        self.add(step)
        self._carry()
        return self._modes.size(np.asarray(self._total), before)

    def _carry(self) -> None:
        if self._steps:
            kept = lasting(self._modes.stepper(self._step).full)
            all_kept = kept**self._steps
            with np.errstate(all="ignore"):
                times = np.where(kept < 1, (1 - all_kept) / (1 - kept), self._steps)
            self._total = all_kept * self._total + times * self._error
            self._steps = 0


def lasting(growth: np.ndarray) -> np.ndarray:
    """Which part of an error in a mode is left after a step over which the mode grows like this."""
    return np.minimum(growth, 1.0)
