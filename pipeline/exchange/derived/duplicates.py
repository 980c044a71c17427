"""Finds a trajectory that occurs twice: one copy could lie in the training split and the other in the test split."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np

from ....data.base.errors import DataError


class Trajectories:
    """All trajectories so far, each as a hash of 128 bits."""

    def __init__(self) -> None:
        self._digests: list[np.ndarray] = []
        self._places: list[tuple[int, Callable[[int], str], int]] = []

    def add(self, rows: Iterable[Sequence[np.ndarray]], name: Callable[[int], str], source: int) -> None:
        """Take in the arrays that make up each trajectory; `name` says which one the number i of these is.

        source  number of the file or dataset that they are of
        """
        digests = []
        for arrays in rows:
            digest = blake2b(digest_size=16)
            for array in arrays:
                digest.update(np.ascontiguousarray(array).data)
            digests.append(digest.digest())
        self._digests.append(np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2))
        self._places.append((len(digests), name, source))

    def check(self, advice: str, within: str | None = None) -> None:
        """Raises DataError if a trajectory occurs twice. It ends in `advice`, or `within` for two of one source."""
        digests = np.concatenate(self._digests)
        order = np.lexsort(digests.T)
        same = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
        if not same.any():
            return
        at = int(np.argmax(same))
        (one, first), (other, second) = (self._where(int(row)) for row in sorted(order[at : at + 2]))
        count = int(same.sum())
        raise DataError(
            f"{count:,} {'trajectory occurs' if count == 1 else 'trajectories occur'} twice: {other} is {one} "
            f"again. One could lie in two splits. {within if within and first == second else advice}"
        )

    def _where(self, row: int) -> tuple[str, int]:
        for count, name, source in self._places:
            if row < count:
                return name(row), source
            row -= count
        raise IndexError(row)
