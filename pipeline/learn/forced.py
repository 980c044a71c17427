"""Forced learning: along the network's own trajectories, which are drawn to the data so that gradients stay bounded.

Generalised teacher forcing, Hess et al. 2023, arXiv:2306.04406: the state that goes on is (1 - alpha) z + alpha x,
and the loss is on z before that. alpha is a constant, or follows the Jacobians: at 1 - 1/s gradients cannot grow,
where s is the largest over a batch of the geometric mean over time of their norms. Sparse teacher forcing, Mikhaeil
et al. 2022, arXiv:2110.07238: x takes the place of z every so many steps.
"""

from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ...data.base.seeds import mix_seeds
from ...models import Model, PiecewiseModel
from ..config.learners import ForcedSettings
from ..runs.files import RunError
from .first_order import FirstOrder
from .learner import Context

# Of each sequence: Jacobians at so many times, spread along it, tell their mean norm well enough.
LOOKED_AT = 25


class Forced(FirstOrder):
    """The optimiser of [training] on the errors of a forced `PiecewiseModel`; alpha is part of the checkpoint."""

    Settings = ForcedSettings

    def __init__(self, context: Context) -> None:
        model, self._forced = cast("PiecewiseModel", context.model), cast("ForcedSettings", context.settings)
        super().__init__(
            model,
            context.training,
            context.std,
            context.schedule_start,
            context.ranks.parallel,
            _ForcedObjective(model, self._forced.penalty),
        )
        self._network, self._ranks, self._seed = model, context.ranks, context.training.seed
        self.alpha = self._forced.alpha

    @classmethod
    def of(cls, context: Context) -> Self:
        return cls(context)

    @classmethod
    def check(cls, kind: type[Model], name: str) -> None:
        if not issubclass(kind, PiecewiseModel):
            raise RunError(
                f"training.learner: forced draws a network's own states to the data, and {name} has none that it "
                "knows; expected shplrnn, alrnn, dendplrnn or a model derived from trajstore.models.PiecewiseModel"
            )

    def objective(self, number: int, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """As of every first-order learner."""
        if self._forced.noise:
            inputs = inputs + self._forced.noise * self._noise(number, inputs)
        if self._forced.forcing == "adaptive" and number % self._forced.adapt_every == 0:
            self._adapt(inputs)
        return self._objective(inputs, targets, self._forcing(inputs.shape[1]))

    def _forcing(self, steps: int) -> Tensor:
        """(T,) how far the state of each step is drawn to the data."""
        if self._forced.forcing == "sparse":
            return (torch.arange(steps) % self._forced.interval == 0).float()
        return torch.full((steps,), self.alpha)

    def _noise(self, number: int, inputs: Tensor) -> Tensor:
        """Standard normal, of this process's share of the global batch, which takes turns."""
        generator = torch.Generator().manual_seed(mix_seeds(self._seed, number))
        samples, *shape = inputs.shape
        drawn = torch.randn(samples * self._ranks.size, *shape, generator=generator)
        return drawn[self._ranks.rank :: self._ranks.size].to(inputs)

    @torch.no_grad()
    def _adapt(self, inputs: Tensor) -> None:
        _, steps, told = inputs.shape
        states = inputs
        if self._network.units > told:
            # What goes into each step, if every state is put in as it is.
            remembered = self._network.forced(inputs, torch.ones(steps))[:, :-1, told:]
            first = self._network.begin(inputs[:, 0])[:, None, told:]
            states = torch.cat([inputs, torch.cat([first, remembered], dim=1)], dim=2)
        looked_at = torch.linspace(0, steps - 1, min(steps, LOOKED_AT)).round().long()
        jacobians = self._network.pieces().jacobians(states[:, looked_at]).double().cpu()
        # The largest of all processes.
        found = torch.zeros(self._ranks.size, dtype=torch.float64)
        found[self._ranks.rank] = _growth(jacobians)
        growth = float(self._ranks.sum(found).max())
        enough, memory = max(0.0, 1.0 - 1.0 / max(growth, 1e-300)), self._forced.memory
        self.alpha = enough if enough > self.alpha else memory * self.alpha + (1 - memory) * enough

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": super().state_dict(), "alpha": self.alpha}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state["optimizer"])
        self.alpha = state["alpha"]


def _growth(jacobians: Tensor) -> float:
    """The largest over sequences of the geometric mean over time of norms of (B, T, M, M); infinity, if some are not
    finite.
    """
    squares = jacobians.mT @ jacobians
    if not squares.isfinite().all():
        # Of a network that is lost, which the loss will tell; eigenvalues of such matrices are an error.
        return torch.inf
    largest = torch.linalg.eigvalsh(squares)[..., -1]
    return float((0.5 * largest.clamp_min(1e-300).log()).mean(dim=1).exp().max())


class _ForcedObjective(nn.Module):
    """Loss and outputs of a forced batch, as a module, which several processes can share."""

    def __init__(self, model: PiecewiseModel, penalty: float) -> None:
        super().__init__()
        self.model, self._penalty = model, penalty

    def forward(self, inputs: Tensor, targets: Tensor, forcing: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model.forced(inputs, forcing)[..., : targets.shape[2]]
        loss = mse_loss(outputs, targets)
        return (loss + self._penalty * self.model.penalty() if self._penalty else loss), outputs
