"""Ridge regression: the last layer by least squares in one pass, without gradients (Hoerl and Kennard 1970,
doi:10.1080/00401706.1970.10488634).

Of features f and targets y the weights W and offsets c make mean |W f + c - y|^2 + ridge |W|^2 least. Sums of
products are kept in float64, (F + 1)^2 numbers, and solved anew after each batch, so that the weights are always
those of all samples so far.
"""

from typing import Any, cast

import numpy as np
import torch
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq
from torch import Tensor
from torch.nn.functional import mse_loss

from ...models import Model, ReadoutModel
from ...models.footprint import sequences_at_once
from ..config.learners import LeastSquaresSettings
from ..runs.files import RunError
from ..runs.loss_units import told_loss
from .learner import Context, Learner


class LeastSquares(Learner):
    """Solves for the readout of a `trajstore.models.ReadoutModel`; all else of the model stays as it was drawn."""

    Settings = LeastSquaresSettings
    drop_last = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._network = cast("ReadoutModel", context.model)
        self._readout = self._network.readout
        told, features = self._readout.weight.shape
        # Products of (features, 1) with (features, 1, targets), summed.
        self._sums = torch.zeros(features + 1, features + 1 + told, dtype=torch.float64)

    @classmethod
    def check(cls, kind: type[Model], name: str) -> None:
        if not issubclass(kind, ReadoutModel):
            raise RunError(
                f"training.learner: least-squares solves for a linear readout, and {name} has none that it knows; "
                "expected a model derived from trajstore.models.ReadoutModel"
            )

    @classmethod
    def steps(cls, asked: int, epoch: int) -> int:
        """One pass is enough: nothing is learned from the same samples twice."""
        return min(asked, epoch)

    @torch.no_grad()
    def step(self, number: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """As of every learner; the loss is that of the weights from the batches before."""
        washout = self._network.washout
        if washout >= inputs.shape[1]:
            raise RunError(
                f"model.washout: got {washout}, but samples have {inputs.shape[1]} steps, so that nothing is left to "
                "learn from; take longer windows or a shorter washout"
            )
        size, outputs, sums = sequences_at_once(self._network, inputs), [], torch.zeros_like(self._sums)
        for given, true in zip(inputs.split(size), targets.split(size), strict=True):
            features = self._network.features(given)[0][:, washout:]
            outputs.append(self._readout(features).flatten(2))
            flat = features.flatten(0, -2).double().cpu()
            known = torch.cat([flat, flat.new_ones(len(flat), 1)], dim=1)
            wanted = true[:, washout:].reshape(len(flat), -1).double().cpu()
            sums += known.T @ torch.cat([known, wanted], dim=1)
        targets = targets[:, washout:]
        found = torch.cat(outputs)
        loss = told_loss(mse_loss(found, targets), found, targets, self.context.std)
        ranks = self.context.ranks
        self._sums += ranks.sum(sums)
        solved = cast("Tensor", ranks.from_first(self._solved() if ranks.first else None))
        self._readout.weight.copy_(solved[:-1].T)
        if self._readout.bias is not None:
            self._readout.bias.copy_(solved[-1])
        return loss

    def _solved(self) -> Tensor:
        """(F + 1, D): the weights, and the offsets behind them."""
        sums = self._sums.numpy()
        size = len(sums)
        if self._readout.bias is None:
            size -= 1
        products, right = sums[:size, :size].copy(), sums[:size, len(sums) :]
        # Offsets are not drawn to zero.
        penalty = self.context.settings.ridge * sums[-1, len(sums) - 1]
        places = np.arange(len(sums) - 1)
        products[places, places] += penalty
        try:
            found = cho_solve(cho_factor(products), right)
        except LinAlgError:
            # Features that depend on each other, and no ridge to choose among solutions: the smallest one.
            found = cast("tuple[np.ndarray, Any]", lstsq(products, right))[0]
        padded = np.zeros((len(sums), right.shape[1]))
        padded[:size] = found
        return torch.from_numpy(padded)

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self._sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sums = state["sums"]
