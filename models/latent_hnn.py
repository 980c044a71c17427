"""A Hamiltonian network behind an autoencoder: Greydanus, Dzamba and Yosinski (2019), arXiv:1906.01563, section 5."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ..data.base.errors import DataError
from .dynamics_settings import LatentHnnSettings
from .energies import Scalar
from .latent import LatentModel
from .layers import begin_orthogonal, perceptron
from .runge_kutta import kutta_step

# Residual layers of encoder and decoder, between their first and last ones.
RESIDUAL = 2


class LatentHNN(LatentModel):
    """Two neighbouring states become coordinates and momenta that no one has named, whose energy it learns.

    A point later they are where a Runge-Kutta step of fourth order takes them by the field of that energy; time is
    counted in points.

    Args:
        input_size: Components of the state.
        output_size: The same.
        latent: Coordinates, and as many momenta behind them, together.
        width: Of the layers of encoder and decoder.
        hidden: Widths of the hidden layers of the energy, or of the field.
        field: "hamiltonian", or "free": a field without an energy, to compare with.
        dynamics: How much it counts in the loss by how much latent states miss those of the next point.
        canonical: How much it counts in the loss by how much momenta differ from the change of their coordinates to
            the next point.
    """

    Settings = LatentHnnSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        latent: int = 2,
        width: int = 200,
        hidden: Sequence[int] = (200, 200),
        field: str = "hamiltonian",
        dynamics: float = 0.1,
        canonical: float = 1.0,
    ) -> None:
        super().__init__()
        if input_size != output_size:
            raise DataError("task.parameters: latent-hnn learns from states alone; leave the parameters out")
        if latent % 2:
            raise DataError(
                f"model.latent: got {latent}, expected an even number: coordinates and their momenta"
            )
        self.input_size, self.output_size = input_size, output_size
        self.encoder, self.decoder = (
            _residual(2 * input_size, width, latent),
            _residual(latent, width, 2 * input_size),
        )
        self.energy = Scalar(latent, hidden, "tanh", orthogonal=True) if field == "hamiltonian" else None
        self.free = perceptron(latent, hidden, latent) if field == "free" else None
        self._half = latent // 2
        self._dynamics, self._canonical = dynamics, canonical

    def encode(self, before: Tensor, now: Tensor) -> Tensor:
        """As of every latent model."""
        return self.encoder(torch.cat([before, now], dim=-1))

    def decode(self, latent: Tensor) -> Tensor:
        """As of every latent model."""
        return self.decoder(latent)[..., self.output_size :]

    def field(self, latent: Tensor) -> Tensor:
        """dz/dt (..., L) of latent states (..., L), a point for a unit of time."""
        if self.energy is None:
            assert self.free is not None
            return self.free(latent)
        by_q, by_p = self.energy.gradient(latent).split(self._half, dim=-1)
        return torch.cat([by_p, -by_q], dim=-1)

    def advance(self, latent: Tensor) -> Tensor:
        """As of every latent model."""
        return kutta_step(self.field, latent)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """What is lost on the way to the latent states and back, and what these are off by as `dynamics` and
        `canonical` weigh it. Raises DataError where windows have no two pairs of neighbours.
        """
        if inputs.shape[1] < 2:
            raise DataError('task.window: latent-hnn learns "forecast" from windows of 3 points at least')
        states = torch.cat([inputs[:, :1], targets], dim=1)
        before, now = states[:, :-1], states[:, 1:]
        latent = self.encode(before, now)
        lost = mse_loss(self.decoder(latent), torch.cat([before, now], dim=-1))
        coordinates, momenta = latent.split(self._half, dim=-1)
        change = coordinates[:, 1:] - coordinates[:, :-1]
        moved = mse_loss(self.advance(latent[:, :-1]), latent[:, 1:])
        return lost + self._dynamics * moved + self._canonical * mse_loss(momenta[:, :-1], change)

    @classmethod
    def fewest_weights(cls, *, hidden: Sequence[int] = (200, 200), **_: Any) -> int:
        return 4 * (RESIDUAL + 2) + 2 * len(hidden)

    def work(self, batch: int) -> float:
        layers = [module for module in self.modules() if isinstance(module, nn.Linear)]
        return batch * sum(layer.in_features * layer.out_features for layer in layers)


class _Residual(nn.Module):
    """x + relu(W x + b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + torch.relu(self.layer(inputs))


def _residual(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """A perceptron whose inner layers add to what they are given; its weights begin as orthogonal matrices."""
    made = nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        *(_Residual(width) for _ in range(RESIDUAL)),
        nn.Linear(width, outputs),
    )
    begin_orthogonal(made)
    return made
