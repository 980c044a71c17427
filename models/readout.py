"""Models of which only the last layer is learned, and that by least squares."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from .model import Memory, Model


class ReadoutModel(Model):
    """A linear readout of features that stay as they were drawn.

    A subclass has `features`, sets `readout`, and keeps what it has drawn as buffers, which are no parameters.

    Attributes:
        readout: The linear layer from F features to outputs.
        washout: Steps at the beginning of each sequence that are not learned from.
    """

    learner: ClassVar[str] = "least-squares"
    readout: nn.Linear
    washout: int = 0

    @abstractmethod
    def features(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Of a piece of a sequence, (B, T, D_in) -> (B, T, F), and the memory for the next piece.

        Or (B, T, G, F) of G groups of outputs, one behind the other, that share a readout.
        """
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, D_out) of whole sequences of inputs (B, T, D_in)."""
        return self.run(inputs)[0]

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model."""
        features, memory = self.features(inputs, memory)
        return self.readout(features).flatten(2), memory

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model."""
        outputs, memory = self.run(inputs[:, None], memory)
        return outputs[:, 0], memory
