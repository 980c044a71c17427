"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

from math import pi
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

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


class RhnSettings(Section):
    """Of `rhn`.

    Attributes:
        hidden: Size of the hidden state.
        depth: Highway layers within each step.
        encoder: Widths of a network (tanh) from the first input to the hidden state; none: it begins at zero.
    """

    hidden: PositiveInt = 20
    depth: PositiveInt = 3
    encoder: list[PositiveInt] = Field(default_factory=list)


class StackedSettings(Section):
    """Of models of several layers that are alike.

    Attributes:
        hidden: Width of what the layers see.
        layers: How many.
    """

    hidden: PositiveInt = 32
    layers: PositiveInt = 2


class LruSettings(StackedSettings):
    """Of `lru`.

    Attributes:
        hidden: Width of what the layers see.
        layers: How many.
        states: Complex states of each layer.
        radius: The least and the largest modulus of the factors by which states decay, as they begin.
        phase: The largest angle of these, as they begin: that by which the fastest turns from point to point.
    """

    states: PositiveInt = 32
    radius: Annotated[list[Annotated[float, Field(ge=0.0, le=1.0)]], Field(min_length=2, max_length=2)] = (
        Field(default_factory=lambda: [0.0, 1.0])
    )
    phase: PositiveFloat = 2 * pi

    @model_validator(mode="after")
    def _a_ring(self) -> Self:
        if self.radius[0] >= self.radius[1]:
            raise ValueError(f"radius: got {self.radius}, expected the lesser first, as in [0.5, 0.99]")
        return self


class MambaSettings(StackedSettings):
    """Of `mamba`.

    Attributes:
        hidden: Width of what the layers see; inside they are twice as wide.
        layers: How many.
        heads: In each layer; twice `hidden` is a multiple.
        states: Of each channel of a head.
    """

    heads: PositiveInt = 4
    states: PositiveInt = 16

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if 2 * self.hidden % self.heads:
            raise ValueError(
                f"heads: got {self.heads}, expected a divisor of twice hidden, {2 * self.hidden}"
            )
        return self


class TransformerSettings(StackedSettings):
    """Of `transformer`.

    Attributes:
        hidden: Width of what the layers see.
        layers: How many.
        heads: In each layer; `hidden` is a multiple.
        length: How many of its latest inputs each layer sees.
    """

    heads: PositiveInt = 4
    length: PositiveInt = 32

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"heads: got {self.heads}, expected a divisor of hidden, {self.hidden}")
        return self


class ReservoirSettings(Section):
    """Of `reservoir`.

    Attributes:
        units: Of the reservoir.
        radius: The largest modulus of eigenvalues of its weights.
        connections: Into each unit from others, on average.
        strength: Weights of inputs are drawn evenly from -strength to strength.
        leak: How much of a unit is new after each step, up to 1.
        patch: Components of each patch, of fields that are the same everywhere; left out: one reservoir sees all.
        overlap: How many of its neighbours' components a patch sees on each side.
        washout: Steps at the beginning of each sample that are not learned from.
    """

    units: PositiveInt = 300
    radius: PositiveFloat = 0.9
    connections: PositiveInt = 6
    strength: PositiveFloat = 0.1
    leak: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    patch: PositiveInt | None = None
    overlap: NonNegativeInt = 0
    washout: NonNegativeInt = 50


class MlpSettings(Section):
    """Of `mlp`.

    Attributes:
        hidden: Widths of the hidden layers; none: a linear map.
        activation: "tanh", "relu", "gelu" or "silu".
        points: How many of the latest inputs it sees; 1: the present one alone. It remembers nothing else.
        bias: Whether the last layer has one.
        orthogonal: Whether weights begin as orthogonal matrices.
    """

    hidden: list[PositiveInt] = Field(default_factory=lambda: [32, 32])
    activation: Literal["tanh", "relu", "gelu", "silu"] = "tanh"
    points: PositiveInt = 1
    bias: bool = True
    orthogonal: bool = False

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Runs that were made before there were these keys stay the same runs.
        unsaid = {key: type(self).model_fields[key].default for key in ("bias", "orthogonal")}
        return {key: value for key, value in dump(self).items() if key not in unsaid or value != unsaid[key]}


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
        clipped: Whether W1 (relu(W2 z + h2) - relu(W2 z)) takes the place of W1 relu(W2 z + h2), which bounds it.
    """

    hidden: PositiveInt = 50
    units: NonNegativeInt = 0
    clipped: bool = False


class AlrnnSettings(Section):
    """Of `alrnn`.

    Attributes:
        units: M, of which the first ones are the state; at least components and ReLUs together.
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
    "rhn": RhnSettings,
    "lru": LruSettings,
    "mamba": MambaSettings,
    "transformer": TransformerSettings,
    "reservoir": ReservoirSettings,
    "mlp": MlpSettings,
    "hnn": HnnSettings,
    "shplrnn": ShplrnnSettings,
    "alrnn": AlrnnSettings,
    "dendplrnn": DendplrnnSettings,
    "neural-ode": NeuralOdeSettings,
    "random-features": RandomFeaturesSettings,
    "latent-hnn": LatentHnnSettings,
}
