"""The past of many rows, as polynomials: what a delay equation looks back to."""

import numpy as np

FIRST_PIECES = 32


class History:
    """Pieces of trajectories, each with Chebyshev's coefficients on its own interval; before the first, a constant.

    before  (D, n) states of the rows before their first piece
    degree  of the polynomials
    """

    def __init__(self, before: np.ndarray, degree: int) -> None:
        components, rows = before.shape
        self._before = before.copy()
        self._count = np.zeros(rows, dtype=np.int64)
        self._start = np.full((rows, FIRST_PIECES), np.inf)
        self._width = np.ones((rows, FIRST_PIECES))
        self._pieces = np.zeros((components, degree + 1, rows, FIRST_PIECES))

    def add(
        self, rows: np.ndarray, start: np.ndarray, width: np.ndarray, pieces: np.ndarray, needed: np.ndarray
    ) -> None:
        """One more piece of each of these rows.

        start, width  (m,) of its interval
        pieces        (D, m, degree + 1) its coefficients
        needed        (n,) for all rows: what lies before it is not asked for any more
        """
        if len(rows) and self._count.max() == self._start.shape[1]:
            self._forget(needed)
        place = self._count[rows]
        self._start[rows, place] = start
        self._width[rows, place] = width
        self._pieces[:, :, rows, place] = pieces.transpose(0, 2, 1)
        self._count[rows] += 1

    def at(self, rows: np.ndarray, component: int, times: np.ndarray) -> np.ndarray:
        """Values of a component of these rows at times (m, k), none beyond their last pieces, (m, k)."""
        place = (self._start[rows][:, None, :] <= times[..., None]).sum(axis=2) - 1
        values = self._evaluate(rows[:, None], np.maximum(place, 0), component, times)
        return np.where(place < 0, self._before[component, rows][:, None], values)

    def last(self, rows: np.ndarray, component: int, times: np.ndarray) -> np.ndarray:
        """Values of a component at times (m,) that lie in the last pieces of rows (m,)."""
        return self._evaluate(rows, self._count[rows] - 1, component, times)

    def scale(self, components: slice, factors: np.ndarray) -> None:
        """Multiply the whole past of some components, of each row by its factor (n,)."""
        self._before[components] *= factors
        self._pieces[components] *= factors[:, None]

    def _evaluate(self, rows: np.ndarray, place: np.ndarray, component: int, times: np.ndarray) -> np.ndarray:
        """Clenshaw's recurrence, in operations that treat each value by itself."""
        pieces = self._pieces[component]
        twice = 4 * ((times - self._start[rows, place]) / self._width[rows, place]) - 2
        ahead = further = np.zeros_like(times)
        for coefficients in pieces[:0:-1]:
            ahead, further = coefficients[rows, place] + twice * ahead - further, ahead
        return pieces[0][rows, place] + 0.5 * twice * ahead - further

    def _forget(self, needed: np.ndarray) -> None:
        """Drop the pieces that end before `needed`, and make room where that is not enough."""
        old = np.maximum((self._start <= needed[:, None]).sum(axis=1) - 1, 0)
        self._count -= old
        room = self._start.shape[1]
        kept = np.minimum(np.arange(room) + old[:, None], room - 1)
        self._start = np.take_along_axis(self._start, kept, axis=1)
        self._width = np.take_along_axis(self._width, kept, axis=1)
        self._pieces = np.take_along_axis(self._pieces, kept[None, None], axis=3)
        self._start[np.arange(room) >= self._count[:, None]] = np.inf
        if 2 * self._count.max() > room:
            self._start = np.pad(self._start, ((0, 0), (0, room)), constant_values=np.inf)
            self._width = np.pad(self._width, ((0, 0), (0, room)), constant_values=1.0)
            self._pieces = np.pad(self._pieces, ((0, 0), (0, 0), (0, 0), (0, room)))
