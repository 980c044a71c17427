"""What a config says of our networks: the keys of [model] beside its name. Nothing here imports torch."""

from pydantic import Field, PositiveInt

from ..data.base.section import Section


class RecurrentSettings(Section):
    """Of `lstm` and `gru`; `encoder` gives the widths of a network from the first input to the hidden state."""

    hidden: PositiveInt = 20
    layers: PositiveInt = 1
    encoder: list[PositiveInt] = Field(default_factory=list)


SETTINGS: dict[str, type[Section]] = {"lstm": RecurrentSettings, "gru": RecurrentSettings}
