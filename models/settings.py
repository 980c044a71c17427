"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

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


SETTINGS: dict[str, type[Section]] = {"lstm": RecurrentSettings, "gru": RecurrentSettings}
