"""What the recurrent sequence models share: encoder, recurrence, linear readout, and stepping."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .layers import perceptron
from .model import Model
from .settings import RecurrentSettings

Hidden = Any
"""What a recurrence carries along: a Tensor, or a tuple of them, each (layers, B, hidden)."""


class RecurrentModel(Model):
    """A recurrence over the sequence, and a linear readout of its hidden state at every step.

    A subclass says which recurrence it is (`cell`), and of how many tensors its hidden state consists (`parts`).

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: The size of the hidden state.
        layers: How many recurrences are stacked.
        encoder: Widths of the hidden layers (tanh) of a network that makes the initial hidden state of the first
            input. Without any, the initial hidden state is zero.
        recurrence: A module in the place of a `cell`; from inputs (B, T, D_in) and hidden state it gives those of all
            steps (B, T, hidden), and the last.
    """

    Settings = RecurrentSettings
    cell: type[nn.LSTM] | type[nn.GRU]
    parts: int

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 20,
        layers: int = 1,
        encoder: Sequence[int] = (),
        recurrence: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, output_size
        self.hidden, self.layers = hidden, layers
        if recurrence is None:
            recurrence = self.cell(input_size, hidden, num_layers=layers, batch_first=True)
        self.recurrence = recurrence
        self.readout = nn.Linear(hidden, output_size)
        self.encoder = perceptron(input_size, encoder, self.parts * layers * hidden) if encoder else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, D_out) of whole sequences of inputs (B, T, D_in)."""
        return self.run(inputs)[0]

    def run(self, inputs: Tensor, memory: Hidden = None) -> tuple[Tensor, Hidden]:
        """As of every model; the memory is the hidden state."""
        hidden = self.initial_hidden(inputs[:, 0]) if memory is None else memory
        states, hidden = self.recurrence(inputs, hidden)
        return self.readout(states), hidden

    def step(self, inputs: Tensor, memory: Hidden = None) -> tuple[Tensor, Hidden]:
        """As of every model; the memory is the hidden state."""
        hidden = self.initial_hidden(inputs) if memory is None else memory
        states, hidden = self.recurrence(inputs[:, None], hidden)
        return self.readout(states[:, 0]), hidden

    def initial_hidden(self, first: Tensor) -> Hidden:
        """The hidden state before the first step, from the first inputs (B, D_in); zero without an encoder."""
        parts = self.parts * self.layers
        if self.encoder is None:
            return self.as_hidden(first.new_zeros(parts, len(first), self.hidden))
        code = self.encoder(first).view(len(first), parts, self.hidden)
        return self.as_hidden(code.transpose(0, 1))

    @classmethod
    def fewest_weights(cls, *, layers: int = 1, encoder: Sequence[int] = (), **_: Any) -> int:
        return layers + len(encoder)

    def work(self, batch: int) -> float:
        return batch * 4 * self.hidden**2

    def as_hidden(self, code: Tensor) -> Hidden:
        """The recurrence's hidden state from a code (parts * layers, B, hidden)."""
        raise NotImplementedError
