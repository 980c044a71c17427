"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

from typing import Literal

from pydantic import Field, PositiveInt

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


SETTINGS: dict[str, type[Section]] = {
    "lstm": RecurrentSettings,
    "gru": RecurrentSettings,
    "mlp": MlpSettings,
}
