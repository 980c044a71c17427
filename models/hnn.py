"""Hamiltonian neural network: Greydanus, Dzamba and Yosinski (2019), arXiv:1906.01563."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.base.errors import DataError
from .dynamics_settings import HnnSettings
from .energies import FORMS
from .facts import DataFacts
from .field import EnergyModel
from .phase_space import check_scales, listed, named_pairs


class HNN(EnergyModel):
    """Learns the energy H, of which the field follows: q' = dH/dp, p' = -dH/dq.

    States are scaled inside, so that the field is Hamilton's in the units of the data.

    Args:
        input_size: Components of the state, and parameters that it is told.
        output_size: Components of the state.
        hidden: Widths of the hidden layers of each network.
        activation: "tanh", "sin" or "softplus".
        orthogonal: Whether weights begin as orthogonal matrices.
        form: "whole", "separable" or "pairwise".
        pairs: Places of each coordinate and its momentum; None is all coordinates first, then their momenta.
        bodies: For "pairwise", places of the coordinates of each body.
        rescale: Whether `centre` and `scale` were to be the moments of the data.
        centre: (D,) what is taken off states.
        scale: (D,) what they are divided by.
    """

    Settings = HnnSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: Sequence[int] = (32, 32),
        activation: str = "tanh",
        orthogonal: bool = False,
        form: str = "whole",
        pairs: Any = None,
        bodies: Any = None,
        rescale: bool = True,
        centre: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, output_size
        q, _ = self.begin_pairs(pairs, output_size)
        of_bodies = [[q.index(place) for place in body] for body in bodies or ()]
        net = {"hidden": hidden, "activation": activation, "orthogonal": orthogonal}
        self.energy = FORMS[form](len(q), input_size - output_size, of_bodies, **net)
        self._work = 6 * sum(parameter.numel() for parameter in self.energy.parameters())
        self.begin_scales(output_size, centre, scale)

    def hamiltonian(self, states: Tensor, parameters: Tensor) -> Tensor:
        """As of every model that has an energy."""
        q, p = self._scaled(states)
        return self.energy(q, p, parameters)

    def field(self, states: Tensor, parameters: Tensor) -> Tensor:
        """As of every field model."""
        by_q, by_p = self.energy.slopes(*self._scaled(states), parameters)
        slopes = torch.cat([by_p / self.scale[self._p], -by_q / self.scale[self._q]], dim=-1)
        return slopes[..., self._back]

    def _scaled(self, states: Tensor) -> tuple[Tensor, Tensor]:
        scaled = (states - self.centre) / self.scale
        return scaled[..., self._q], scaled[..., self._p]

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> dict[str, Any]:
        """The pairs by name or by the equations, bodies by name, and the scales.

        Raises DataError where states are scaled already, or names or scales do not go with the components.
        """
        check_scales(settings, data, "hnn")
        pairs = named_pairs(settings, data)
        found = {**settings, "pairs": pairs, "bodies": _bodies(settings, pairs, data)}
        if settings["rescale"] and settings["scale"] is None:
            found |= _scales(found, data)
        return found

    @classmethod
    def fewest_weights(cls, *, hidden: Sequence[int] = (32, 32), **_: Any) -> int:
        return 2 * len(hidden) + 3

    def work(self, batch: int) -> float:
        return float(batch * self._work)


def _bodies(settings: Mapping[str, Any], pairs: list[list[int]], data: DataFacts) -> list[list[int]] | None:
    """Places of the coordinates of each body. Raises DataError if they are not all of these, or none are needed."""
    bodies, form = settings["bodies"], settings["form"]
    if (bodies is None) != (form != "pairwise"):
        raise DataError(
            f'model.bodies: got {"none" if bodies is None else listed(bodies)} for the form "{form}"; "pairwise" '
            'takes the coordinates of each body, as [["qx1", "qy1"], ["qx2", "qy2"]], and others take none'
        )
    if bodies is None:
        return None
    found = [[data.place(name, "model.bodies") for name in body] for body in bodies]
    coordinates = sorted(pair[0] for pair in pairs)
    alike = len({len(body) for body in found}) == 1 and len(found) > 1
    if not alike or sorted(place for body in found for place in body) != coordinates:
        raise DataError(
            f"model.bodies: got {listed(bodies)}, expected two or more of as many coordinates each, and each of "
            f"{', '.join(data.components[place] for place in coordinates)} once"
        )
    return found


def _scales(settings: Mapping[str, Any], data: DataFacts) -> dict[str, Any]:
    """By which states are scaled; where bodies are alike, all coordinates by one, and all momenta."""
    centre, scale = list(data.mean), list(data.deviation)
    if settings["bodies"] is not None:
        for places in zip(*settings["pairs"], strict=True):
            size = (sum(scale[place] ** 2 + centre[place] ** 2 for place in places) / len(places)) ** 0.5
            for place in places:
                centre[place], scale[place] = 0.0, size
    return {"centre": centre, "scale": scale}
