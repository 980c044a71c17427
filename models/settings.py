"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveInt

from ..data.base.section import Section


class RecurrentSettings(Section):
    """Of `lstm` and `gru`.

    Attributes:
        hidden: Size of the hidden state.
        layers: How many recurrences are stacked.
        encoder: Widths of a network (tanh) from the first input to the hidden state; none: it begins at zero.
    """

    hidden: PositiveInt = 20
    layers: PositiveInt = 1
    encoder: list[PositiveInt] = Field(default_factory=list)


class MlpSettings(Section):
    """Of `mlp`.

    Attributes:
        hidden: Widths of the hidden layers; none: a linear map.
        activation: "tanh", "relu", "gelu" or "silu".
        points: How many of the latest inputs it sees; 1: the present one alone. It remembers nothing else.
    """

    hidden: list[PositiveInt] = Field(default_factory=lambda: [32, 32])
    activation: Literal["tanh", "relu", "gelu", "silu"] = "tanh"
    points: PositiveInt = 1


Place = str | int


class HnnSettings(Section):
    """Of `hnn`.

    Attributes:
        hidden: Widths of the hidden layers of each of its networks.
        activation: "tanh", "sin" or "softplus".
        orthogonal: Whether weights begin as orthogonal matrices.
        form: "whole": H(q, p). "separable": T(p) + V(q). "pairwise": sums of T(p_i) and V(q_i - q_j) over bodies.
        pairs: Names of each coordinate and its momentum; left out: derived from the equations and their energy.
        bodies: For "pairwise", the names of the coordinates of each body.
        rescale: Whether states are scaled, inside, by the moments of the train split.
        centre: Filled in by training: what is taken off the states.
        scale: Filled in by training: what they are divided by.
    """

    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default_factory=lambda: [32, 32])
    activation: Literal["tanh", "sin", "softplus"] = "tanh"
    orthogonal: bool = False
    form: Literal["whole", "separable", "pairwise"] = "whole"
    pairs: (
        Annotated[list[Annotated[list[Place], Field(min_length=2, max_length=2)]], Field(min_length=1)] | None
    ) = None
    bodies: list[list[Place]] | None = None
    rescale: bool = True
    centre: list[FiniteFloat] | None = None
    scale: list[Annotated[FiniteFloat, Field(gt=0)]] | None = None


class LatentHnnSettings(Section):
    """Of `latent-hnn`.

    Attributes:
        latent: Coordinates and momenta together, that two neighbouring states become.
        width: Of the layers of encoder and decoder.
        hidden: Widths of the hidden layers of the energy, or of the free field.
        field: "hamiltonian": of an energy that is learned. "free": any, to compare with.
        dynamics: Weight in the loss of what latent states are off by one point later.
        canonical: Weight in the loss of what momenta are off by from the coordinates' change to the next point.
    """

    latent: Annotated[int, Field(ge=2, multiple_of=2)] = 2
    width: PositiveInt = 200
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default_factory=lambda: [200, 200])
    field: Literal["hamiltonian", "free"] = "hamiltonian"
    dynamics: NonNegativeFloat = 0.1
    canonical: NonNegativeFloat = 1.0


SETTINGS: dict[str, type[Section]] = {
    "lstm": RecurrentSettings,
    "gru": RecurrentSettings,
    "mlp": MlpSettings,
    "hnn": HnnSettings,
    "latent-hnn": LatentHnnSettings,
}
