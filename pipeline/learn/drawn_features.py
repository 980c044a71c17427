"""Features drawn from data, and their weights by least squares, to the last digits that there are.

Such features depend on each other so much that the sums of their products, by which `least_squares` solves, have lost
half of the digits. So rows are turned into a triangle, piece by piece, by orthogonal factors that leave the solution
as it is (Golub 1965, doi:10.1007/BF01436075), and the triangle is solved by singular values.
"""

from typing import Any, cast

import numpy as np
import torch
from scipy.linalg import lstsq, qr
from torch import Tensor
from torch.nn.functional import mse_loss

from ...data.base.seeds import mix_seeds
from ...models import Model, RandomFeatures
from ..config.learners import DrawnFeaturesSettings
from ..runs.files import RunError
from ..runs.loss_units import told_loss
from .learner import Context, Learner

# Numbers of the rows that are held at once, beside the batch.
NUMBERS = 4_000_000


class DrawnFeatures(Learner):
    """Draws the features of a `trajstore.models.RandomFeatures` from pairs of points of the first batch, and has the
    weights that fit all batches so far best.
    """

    Settings = DrawnFeaturesSettings
    drop_last = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if context.ranks.size > 1:
            raise RunError(
                f"training.learner: drawn-features learns in one process, not in {context.ranks.size}; start it "
                "without torchrun"
            )
        self._network = cast("RandomFeatures", context.model)
        # Of [left sides, right sides]; a row for each column.
        self._triangle = np.zeros((0, 0))
        self._rows = 0

    @classmethod
    def check(cls, kind: type[Model], name: str) -> None:
        if not issubclass(kind, RandomFeatures):
            raise RunError(
                f"training.learner: drawn-features is for random-features, and {name} has no features that are "
                "drawn; leave training.learner out"
            )

    @classmethod
    def steps(cls, asked: int, epoch: int) -> int:
        """One pass is enough: nothing is learned from the same samples twice."""
        return min(asked, epoch)

    @torch.no_grad()
    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """As of every learner; the loss is that of the weights from the batches before."""
        outputs = self._network(inputs)
        loss = told_loss(mse_loss(outputs, targets), outputs, targets, self.context.std)
        inputs, targets = inputs.flatten(0, 1), targets.flatten(0, 1)
        if number == 0:
            seed = mix_seeds(self.context.training.seed, 0)
            self._network.draw(inputs, torch.Generator().manual_seed(seed))
        width = self._network.last.in_features * targets.shape[1]
        size = max(1, NUMBERS // width)
        for given, wanted in zip(inputs.split(size), targets.split(size), strict=True):
            left, right = (side.double().cpu().numpy() for side in self._network.equations(given, wanted))
            self._add(np.concatenate([left, right], axis=1))
        self._network.take(torch.from_numpy(self._solved(right.shape[1])))
        return loss

    def _add(self, rows: np.ndarray) -> None:
        self._rows += len(rows)
        known = self._triangle if self._triangle.size else rows[:0]
        stacked = np.concatenate([known, rows])
        self._triangle = qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0][: stacked.shape[1]]

    def _solved(self, told: int) -> np.ndarray:
        """(F, K): those of least size among the best."""
        left, right = self._triangle[:, :-told], self._triangle[:, -told:]
        if ridge := self.context.settings.ridge:
            weight = np.sqrt(ridge * self._rows) * np.eye(left.shape[1])
            if self._network.last.bias is not None:
                # Offsets are not drawn to zero.
                weight = weight[:-1]
            left = np.concatenate([left, weight])
            right = np.concatenate([right, np.zeros((len(weight), told))])
        return cast("tuple[np.ndarray, Any]", lstsq(left, right, check_finite=False))[0]

    def state_dict(self) -> dict[str, Any]:
        return {"triangle": torch.from_numpy(self._triangle.copy()), "rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._triangle, self._rows = state["triangle"].numpy(), state["rows"]
