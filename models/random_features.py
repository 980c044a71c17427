"""Random features: a hidden layer that is drawn from pairs of data points, and a last layer that is solved for.

A feature is tanh(a.z + b), of which a points from one point of the data to another and is as steep as they are close:
it is -1/2 at one of them and 1/2 at the other (Bolager, Burak, Datar, Sun, Dietrich 2023, arXiv:2306.16830; of
Hamiltonian systems Rahma, Datar, Dietrich 2024, arXiv:2411.17511). What is left to learn is linear.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..data.base.errors import DataError
from .dynamics_settings import RandomFeaturesSettings
from .facts import DataFacts
from .field import EnergyModel
from .phase_space import check_scales, named_pairs

# By which tanh goes from -1/2 to 1/2.
STEEPNESS = 1.0986122886681098
# Of the median distance, what two points are to be apart at least: closer ones make a step of nearly no width.
CLOSEST = 1e-3


class RandomFeatures(EnergyModel):
    """dx/dt, or the energy that it follows from, as a sum of features that are drawn; untrained, it is 0.

    Args:
        input_size: Components of the state, and parameters that it is told.
        output_size: Components of the state.
        features: How many.
        energy: Whether they add up to an energy, of which the field follows as in `hnn`.
        pairs: Of an energy, places of each coordinate and its momentum; None is all coordinates first.
        rescale: Whether `centre` and `scale` were to be the moments of the data.
        centre: (D,) what is taken off states.
        scale: (D,) what they are divided by.
    """

    Settings = RandomFeaturesSettings
    learner: ClassVar[str] = "drawn-features"
    learner_is_needed: ClassVar[bool] = True
    directions: Tensor
    offsets: Tensor

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        features: int = 400,
        energy: bool = False,
        pairs: Any = None,
        rescale: bool = True,
        centre: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self._energy = input_size, output_size, energy
        if energy:
            self.begin_pairs(pairs, output_size)
        self.last = nn.Linear(features, 1 if energy else output_size, bias=not energy)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("directions", torch.zeros(features, input_size))
        self.register_buffer("offsets", torch.zeros(features))
        self.begin_scales(output_size, centre, scale)

    @torch.no_grad()
    def draw(self, inputs: Tensor, generator: torch.Generator) -> None:
        """Draw the features from pairs of inputs (N, D + P). Raises DataError where these are all the same."""
        points = self._scaled(inputs)
        count = len(self.directions)
        ends = torch.randint(len(points), (2, 4 * count), generator=generator)
        one, other = points[ends[0]], points[ends[1]]
        apart = (other - one).norm(dim=1)
        different = apart[apart > 0]
        if not len(different):
            raise DataError("random-features: all points of the first batch are the same; give more of them")
        kept = (apart > CLOSEST * different.median()).nonzero()[:, 0]
        kept = kept[torch.arange(count) % len(kept)]
        directions = STEEPNESS * (other - one)[kept] / apart[kept, None].square()
        self.directions.copy_(directions)
        self.offsets.copy_(-(directions * one[kept]).sum(dim=1) - STEEPNESS / 2)

    def hamiltonian(self, states: Tensor, parameters: Tensor) -> Tensor:
        """H (...) of states (..., D), parameters (..., P), but for a constant."""
        return self.last(self._features(torch.cat([states, parameters], dim=-1)))[..., 0]

    def field(self, states: Tensor, parameters: Tensor) -> Tensor:
        """As of every field model."""
        features = self._features(torch.cat([states, parameters], dim=-1))
        if not self._energy:
            return self.last(features)
        return (self.last.weight[0] * (1 - features.square())) @ self._turned()

    def equations(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What the weights of the last layer are to fulfil at inputs (N, D + P), targets (N, D): left sides (M, F)
        and right sides (M, K), where `weights` are (F, K).
        """
        features = self._features(inputs)
        if not self._energy:
            return torch.cat([features, features.new_ones(len(features), 1)], dim=1), targets
        slopes = (1 - features.square())[:, None] * self._turned().T
        return slopes.flatten(0, 1), targets.reshape(-1, 1)

    @torch.no_grad()
    def take(self, weights: Tensor) -> None:
        """Have these weights (F, K), the solution of `equations`."""
        self.last.weight.copy_(weights[: self.last.in_features].T)
        if self.last.bias is not None:
            self.last.bias.copy_(weights[-1])

    def _scaled(self, inputs: Tensor) -> Tensor:
        states, told = inputs.split([self.output_size, inputs.shape[-1] - self.output_size], dim=-1)
        return torch.cat([(states - self.centre) / self.scale, told], dim=-1)

    def _features(self, inputs: Tensor) -> Tensor:
        return torch.tanh(self._scaled(inputs) @ self.directions.T + self.offsets)

    def _turned(self) -> Tensor:
        """(F, D) dx/dt where a feature of that slope 1 is the energy."""
        along = self.directions[:, : self.output_size] / self.scale
        return torch.cat([along[:, self._p], -along[:, self._q]], dim=1)[:, self._back]

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> dict[str, Any]:
        """The pairs of an energy, by name or by the equations, and the scales.

        Raises DataError where states are scaled already, or names or scales do not go with the components.
        """
        check_scales(settings, data, "random-features")
        found = dict(settings)
        if settings["energy"]:
            found["pairs"] = named_pairs(settings, data)
        elif settings["pairs"] is not None:
            raise DataError("model.pairs: are those of an energy; say energy = true, or leave them out")
        if settings["rescale"] and settings["scale"] is None:
            found |= {"centre": list(data.mean), "scale": list(data.deviation)}
        return found

    @classmethod
    def fewest_weights(cls, **_: Any) -> int:
        return 5

    def work(self, batch: int) -> float:
        return float(batch * self.directions.numel())
