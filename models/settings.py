"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

from math import pi
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ..data.base.section import Section
from .dynamics_settings import (
    AlrnnSettings,
    DendplrnnSettings,
    HnnSettings,
    LatentHnnSettings,
    NeuralOdeSettings,
    RandomFeaturesSettings,
    ShplrnnSettings,
)


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


class NbeatsSettings(Section):
    """Of `nbeats`.

    Attributes:
        hidden: Width of the layers of each block.
        layers: How many of these.
        blocks: How many; each sees what those before it could not explain.
        basis: Functions in which each block expands the window, and the outputs.
        length: How many of the latest inputs are seen.
    """

    hidden: PositiveInt = 64
    layers: PositiveInt = 4
    blocks: PositiveInt = 4
    basis: PositiveInt = 16
    length: PositiveInt = 16


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


SETTINGS: dict[str, type[Section]] = {
    "lstm": RecurrentSettings,
    "gru": RecurrentSettings,
    "rhn": RhnSettings,
    "lru": LruSettings,
    "mamba": MambaSettings,
    "transformer": TransformerSettings,
    "nbeats": NbeatsSettings,
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
