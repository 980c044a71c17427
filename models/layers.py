"""The network inside of others: fully connected layers with an activation between them."""

from collections.abc import Sequence

from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def perceptron(inputs: int, widths: Sequence[int], outputs: int, activation: str = "tanh") -> nn.Sequential:
    """From (..., inputs) to (..., outputs).

    Args:
        inputs: Size of the last dimension of what goes in.
        widths: Of the hidden layers; none is a linear map.
        outputs: Size of the last dimension of what comes out.
        activation: After each hidden layer: "tanh", "relu", "gelu" or "silu".
    """
    modules: list[nn.Module] = []
    for width in widths:
        modules += [nn.Linear(inputs, width), ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*modules, nn.Linear(inputs, outputs))
