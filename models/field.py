"""Models of a vector field: a slope for each state."""

from torch import Tensor

from .model import Memory, Model


class FieldModel(Model):
    """A model whose output at a point depends on the input there alone: dx/dt of a state.

    A subclass has `field`; one that learns an energy has `hamiltonian`, too, and says so.

    Attributes:
        has_energy: Whether the field follows from an energy that it has learned.
    """

    is_field = True
    has_energy: bool = False

    def hamiltonian(self, states: Tensor, parameters: Tensor) -> Tensor:
        """The energy (...) of states (..., D), parameters (..., P), but for a constant."""
        raise NotImplementedError

    def field(self, states: Tensor, parameters: Tensor) -> Tensor:
        """dx/dt (..., D) at states (..., D), where the parameters that the network is told are (..., P)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Slopes (B, T, D) of states, and parameters behind them, (B, T, D + P)."""
        return self.field(*inputs.split([self.output_size, inputs.shape[-1] - self.output_size], dim=-1))

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; nothing is remembered."""
        return self(inputs), None

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; nothing is remembered."""
        return self(inputs[:, None])[:, 0], None
