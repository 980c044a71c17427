"""Dynamic mode decomposition, by pydmd: a linear map of what states are lifted to.

`Dmd` sees states at several delays (Arbabi and Mezic 2017, doi:10.1137/17M1125236), `Koopman` their products as well,
which is extended DMD (Williams, Kevrekidis and Rowley 2015, doi:10.1007/s00332-015-9258-5). The constant is always
among what is seen, so that a fixed point may lie anywhere.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import ClassVar, Self

import numpy as np

from ....data.base.errors import TrajstoreError
from ....data.base.installing import install
from .first_state import monomials
from .standardised import Standardised

try:
    from pydmd import DMD
except ImportError as error:
    raise TrajstoreError(
        f"the baselines dmd and koopman need the package pydmd, which cannot be imported ({error}); "
        f"{install('baselines')}"
    ) from None

# Modes are kept whose singular values are more than this part of the largest: what is chosen from.
CUTS = (1e-12, 1e-8, 1e-5, 1e-2)
# More would take minutes; only what is linear in one state may have them.
MOST_FEATURES = 300


@dataclass(frozen=True)
class Dmd(Standardised):
    """`count` standardised states, the oldest first, are lifted to their products up to `degree`, (F,), and these
    are mapped by `operator` (F, F); a rollout never comes down before its end.
    """

    lifts: ClassVar[tuple[tuple[int, int], ...]] = ((1, 1), (2, 1), (5, 1), (10, 1), (20, 1), (50, 1))
    count: int
    degree: int
    operator: np.ndarray

    @classmethod
    def candidates(cls, states: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Iterator[Self]:
        for count, degree in cls.lifts:
            columns = count * states.shape[2]
            size = comb(columns + degree, degree)
            if count >= states.shape[1] or (size > MOST_FEATURES and (count, degree) != cls.lifts[0]):
                continue
            windows = np.lib.stride_tricks.sliding_window_view(states, count, axis=1).swapaxes(2, 3)
            before, after = (
                monomials(part.reshape(-1, columns), degree).T for part in (windows[:, :-1], windows[:, 1:])
            )
            sizes = np.linalg.svd(before, compute_uv=False)
            for rank in sorted({int((sizes > cut * sizes[0]).sum()) for cut in CUTS}):
                with warnings.catch_warnings():
                    # That delays and products are nearly dependent, which is seen to by the rank.
                    warnings.simplefilter("ignore")
                    found = DMD(svd_rank=rank, exact=True).fit(before, after)
                modes = np.asarray(found.modes)
                operator = (modes * found.eigs) @ np.linalg.pinv(modes)
                yield cls(mean, scale, count, degree, operator.real)

    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        # A history that is shorter is taken to have been at rest.
        places = np.clip(history.shape[1] - 1 - np.arange(self.count)[::-1], 0, None)
        seen = (history[:, places] - self.mean) / self.scale
        # Without the constant, which is no part of the state: runs that are next to each other do not differ in it.
        return (monomials(seen.reshape(len(seen), -1), self.degree)[:, 1:],)

    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        # The constant comes first, then the states; the latest of these last.
        lifted = carry[0] @ self.operator[1:, 1:].T + self.operator[1:, 0]
        now = lifted[:, : self.count * len(self.mean)][:, -len(self.mean) :]
        return now * self.scale + self.mean, (lifted,)


class Koopman(Dmd):
    """Products of states, which are not made anew of what they are foretold to be: these, too, are foretold."""

    lifts = ((1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 2), (2, 3), (5, 2))
