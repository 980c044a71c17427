"""What a config says of our networks of fields, energies and attractors: the keys of [model] beside its name.

Nothing here imports torch.
"""

from typing import Annotated, Literal

from pydantic import (
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from ..data.base.section import Section

Place = str | int
Pairs = Annotated[list[Annotated[list[Place], Field(min_length=2, max_length=2)]], Field(min_length=1)]
Scale = list[Annotated[FiniteFloat, Field(gt=0)]]


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
    pairs: Pairs | None = None
    bodies: list[list[Place]] | None = None
    rescale: bool = True
    centre: list[FiniteFloat] | None = None
    scale: Scale | None = None


class RandomFeaturesSettings(Section):
    """Of `random-features`.

    Attributes:
        features: How many, of one hidden layer (tanh) that is drawn from pairs of data points.
        energy: Whether they add up to an energy, of which the field follows as in `hnn`, or to dx/dt itself.
        pairs: Of an energy, names of each coordinate and its momentum; left out: derived as for `hnn`.
        rescale: Whether states are scaled, inside, by the moments of the train split.
        centre: Filled in by training: what is taken off the states.
        scale: Filled in by training: what they are divided by.
    """

    features: PositiveInt = 400
    energy: bool = False
    pairs: Pairs | None = None
    rescale: bool = True
    centre: list[FiniteFloat] | None = None
    scale: Scale | None = None


class NeuralOdeSettings(Section):
    """Of `neural-ode`, which learns the task "initial-value".

    Attributes:
        hidden: Widths of the hidden layers of the field; none: a linear one.
        activation: "tanh", "relu", "gelu" or "silu".
        substeps: Of the integrator (Runge and Kutta's, of order four) from one point to the next.
        step: Filled in by training: from point to point, in units of time.
    """

    hidden: list[PositiveInt] = Field(default_factory=lambda: [32, 32])
    activation: Literal["tanh", "relu", "gelu", "silu"] = "tanh"
    substeps: PositiveInt = 1
    step: PositiveFloat | None = None


class ShplrnnSettings(Section):
    """Of `shplrnn`.

    Attributes:
        hidden: L, the number of ReLUs.
        units: M, of which the first ones are the state; 0: as many as components.
        clipped: Whether W1 (relu(W2 z + h2) - relu(W2 z)) takes the place of W1 relu(W2 z + h2); states are bounded
            then, if all entries of A are between -1 and 1.
    """

    hidden: PositiveInt = 50
    units: NonNegativeInt = 0
    clipped: bool = False


class AlrnnSettings(Section):
    """Of `alrnn`.

    Attributes:
        units: M, of which the first ones are the state; at least components and ReLUs together. Where these are more
            than 20, the default is as many.
        relus: P, of the units, those with a ReLU, from the last one on; it is linear in each of 2^P regions.
    """

    units: PositiveInt = 20
    relus: Annotated[int, Field(ge=1, le=60)] = 2


class DendplrnnSettings(Section):
    """Of `dendplrnn`.

    Attributes:
        units: M, of which the first ones are the state; 0: as many as components.
        bases: How many thresholds each unit has.
    """

    units: NonNegativeInt = 0
    bases: PositiveInt = 20


class LatentHnnSettings(Section):
    """Of `latent-hnn`.

    Attributes:
        latent: Coordinates and momenta together, that two neighbouring states become.
        width: Of the layers of encoder and decoder.
        hidden: Widths of the hidden layers of the energy, or of the free field.
        field: "hamiltonian": of an energy that is learned. "free": any, to compare with.
        dynamics: How much it counts in the loss by how much latent states miss those of the next point.
        canonical: How much it counts in the loss by how much momenta differ from the change of their coordinates to
            the next point.
    """

    latent: Annotated[int, Field(ge=2, multiple_of=2)] = 2
    width: PositiveInt = 200
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default_factory=lambda: [200, 200])
    field: Literal["hamiltonian", "free"] = "hamiltonian"
    dynamics: NonNegativeFloat = 0.1
    canonical: NonNegativeFloat = 1.0
