"""What a model may be told of the data before it is built."""

from collections.abc import Callable
from dataclasses import dataclass

from ..data.base.errors import DataError
from ..data.base.suggestions import did_you_mean
from ..data.batches.normalize import Normalizer


@dataclass(frozen=True)
class Learned:
    """What a trained model has learned, so that nothing else is asked of it unawares.

    Attributes:
        task: The name of its task; None of a task that is not ours.
        window: Points of the samples that it has learned from; None where that is not known.
        normalized: Whether it sees standardised states.
        parameters: Names of those that it is told beside them.
        parameter_normalizer: How these are standardised before; None where they are not.
    """

    task: str | None
    window: int | None
    normalized: bool
    parameters: tuple[str, ...] = ()
    parameter_normalizer: Normalizer | None = None


@dataclass(frozen=True)
class DataFacts:
    """Of the data that a model is to learn from.

    Attributes:
        components: Names of the state's components.
        mean: (D,) of each over the train split, in raw units.
        deviation: (D,) the standard deviation of each, 1 of a constant one.
        step: From point to point, in units of time.
        normalized: Whether the model sees standardised states.
        pairs: Derives the names of each coordinate and its momentum from the equations. Raises TrajstoreError where
            there are none.
    """

    components: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    step: float
    normalized: bool
    pairs: Callable[[], list[tuple[str, str]]]

    def place(self, name: str | int, key: str) -> int:
        """Of a component among all, by its name. Raises DataError, which names the key, if there is none."""
        if isinstance(name, int) and 0 <= name < len(self.components):
            return name
        if name in self.components:
            return self.components.index(str(name))
        raise DataError(
            f"{key}: there is no component {name!r}; there are {', '.join(self.components)}."
            + did_you_mean(str(name), self.components)
        )
