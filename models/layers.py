"""The network inside of others: fully connected layers with an activation between them."""

from collections.abc import Sequence

from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def perceptron(
    inputs: int,
    widths: Sequence[int],
    outputs: int,
    activation: str = "tanh",
    *,
    bias: bool = True,
    orthogonal: bool = False,
) -> nn.Sequential:
    """From (..., inputs) to (..., outputs).

    Args:
        inputs: Size of the last dimension of what goes in.
        widths: Of the hidden layers; none is a linear map.
        outputs: Size of the last dimension of what comes out.
        activation: After each hidden layer: "tanh", "relu", "gelu" or "silu".
        bias: Whether the last layer has one.
        orthogonal: Whether weights begin as orthogonal matrices (Saxe, McClelland and Ganguli 2014, arXiv:1312.6120).
    """
    modules: list[nn.Module] = []
    for width in widths:
        modules += [nn.Linear(inputs, width), ACTIVATIONS[activation]()]
        inputs = width
    made = nn.Sequential(*modules, nn.Linear(inputs, outputs, bias=bias))
    if orthogonal:
        begin_orthogonal(made)
    return made


def begin_orthogonal(module: nn.Module) -> None:
    """Let the weights of all linear layers begin as orthogonal matrices."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.orthogonal_(layer.weight)
