"""The training loss as it is told: in the raw units of every other error, whatever units the network sees."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

RAW = "raw"
# Runs that were begun before losses were told in raw units do not say which they have; they go on with theirs.
STANDARDISED = "standardised"
# Of models whose loss is no mean squared error.
OWN = "own"


def told_loss(
    loss: "Tensor", outputs: "Tensor", targets: "Tensor", std: tuple[float, ...] | None
) -> "Tensor":
    """The mean squared error of a batch in raw units, a scalar; what is learned from is the loss itself.

    loss              scalar, the mean squared error in the units that the network sees
    outputs, targets  (B, T, D) in the same units
    std               (D,) by which these were divided; None if they are raw, or if `loss` is to be told as it is
    """
    if std is None:
        return loss.detach()
    squares = (outputs.detach() - targets).square().mean(dim=(0, 1))
    # Squares of very small and of very large units leave the range of float32; Apple's devices have nothing wider.
    exact = squares if squares.device.type == "mps" else squares.double()
    return (exact * exact.new_tensor(std).square()).mean()
