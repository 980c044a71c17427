"""Windows over trajectories: index arithmetic alone, so that no window crosses from one row to the next."""

from dataclasses import dataclass

import numpy as np

from ..base.errors import DataError


@dataclass(frozen=True)
class Windows:
    """Windows of `length` samples, `stride` apart, over trajectories of `samples` samples.

    Windows are numbered row by row: window w of row r has the number r * per_row + w and begins at sample
    w * stride. What does not fill a whole window at the end of a trajectory is left out.

    >>> windows = Windows(samples=10, length=4, stride=3)
    >>> windows.per_row
    3
    >>> windows.locate(np.array([0, 2, 3]))
    (array([0, 0, 1]), array([0, 2, 0]))

    Raises DataError if no window fits.
    """

    samples: int
    length: int
    stride: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.length <= self.samples:
            raise DataError(
                f"window of {self.length} samples, but the trajectories have {self.samples}; "
                f"choose a window from 1 to {self.samples}"
            )
        if self.stride < 1:
            raise DataError(f"window stride is {self.stride}; it must be at least 1")

    def __str__(self) -> str:
        cut = f" in windows of {self.length}, {self.stride} apart" if self.length < self.samples else ""
        return f"{self.samples} points{cut}"

    @property
    def per_row(self) -> int:
        return (self.samples - self.length) // self.stride + 1

    def locate(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and window numbers within the row, of windows given by number."""
        rows, windows = np.divmod(index, self.per_row)
        return rows, windows

    def view(self, state: np.ndarray) -> np.ndarray:
        """A view (N, per_row, length, D) of states (N, samples, D); nothing is copied."""
        rows, _, components = state.shape
        by_row, by_sample, by_component = state.strides
        return np.lib.stride_tricks.as_strided(
            state,
            shape=(rows, self.per_row, self.length, components),
            strides=(by_row, self.stride * by_sample, by_sample, by_component),
            writeable=False,
        )

    def take(
        self, state: np.ndarray, rows: np.ndarray, starts: np.ndarray | None, out: np.ndarray | None = None
    ) -> np.ndarray:
        """States (n, length, D) of these rows; `starts` are window numbers, None takes whole rows."""
        if starts is None and state.dtype.isnative:
            # Twice as fast as indexing; the caller has checked the bounds.
            return np.take(state, rows, axis=0, mode="clip", out=out)
        chosen = state[rows] if starts is None else self.view(state)[rows, starts]
        if out is None:
            return chosen.astype(state.dtype.newbyteorder("="), copy=False)
        out[:] = chosen
        return out
