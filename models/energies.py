"""Energies that a network can learn, each with its gradient written out: no second differentiation is needed where
it is trained, and Jacobians of it come from any way of taking them.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .layers import begin_orthogonal


def _tanh(x: Tensor) -> tuple[Tensor, Tensor]:
    value = torch.tanh(x)
    return value, 1 - value.square()


# Each activation with its derivative.
SMOOTH: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "tanh": _tanh,
    "sin": lambda x: (torch.sin(x), torch.cos(x)),
    "softplus": lambda x: (nn.functional.softplus(x), torch.sigmoid(x)),
}


class Scalar(nn.Module):
    """A perceptron of one output, without a constant: (..., inputs) -> (...)."""

    def __init__(self, inputs: int, hidden: Sequence[int], activation: str, orthogonal: bool) -> None:
        super().__init__()
        layers = [nn.Linear(*sizes) for sizes in pairwise([inputs, *hidden])]
        self.layers = nn.ModuleList(layers)
        self.last = nn.Linear(hidden[-1], 1, bias=False)
        self._smooth = SMOOTH[activation]
        if orthogonal:
            begin_orthogonal(self)

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs, _ = self._smooth(layer(inputs))
        return self.last(inputs)[..., 0]

    def gradient(self, inputs: Tensor) -> Tensor:
        """By the inputs, (..., inputs)."""
        slopes = []
        for layer in self.layers:
            inputs, slope = self._smooth(layer(inputs))
            slopes.append(slope)
        found = self.last.weight[0]
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            found = (found * slope) @ layer.weight
        return found


class Whole(nn.Module):
    """H(q, p), of any system.

    Each of these is made for so many coordinates and parameters that it is told, with the places of the coordinates
    of each body, where there are bodies; `forward` gives H (...) and `slopes` dH/dq and dH/dp (..., n) of q and p
    (..., n) and told (..., P).
    """

    def __init__(self, coordinates: int, told: int, bodies: Sequence[Sequence[int]], **net: Any) -> None:
        super().__init__()
        self.energy = Scalar(2 * coordinates + told, **net)

    def forward(self, q: Tensor, p: Tensor, told: Tensor) -> Tensor:
        return self.energy(torch.cat([q, p, told], dim=-1))

    def slopes(self, q: Tensor, p: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        found = self.energy.gradient(torch.cat([q, p, told], dim=-1))
        count = q.shape[-1]
        return found[..., :count], found[..., count : 2 * count]


class Separable(nn.Module):
    """T(p) + V(q), where momenta and places do not meet."""

    def __init__(self, coordinates: int, told: int, bodies: Sequence[Sequence[int]], **net: Any) -> None:
        super().__init__()
        self.kinetic, self.potential = (Scalar(coordinates + told, **net) for _ in range(2))

    def forward(self, q: Tensor, p: Tensor, told: Tensor) -> Tensor:
        return self.kinetic(torch.cat([p, told], dim=-1)) + self.potential(torch.cat([q, told], dim=-1))

    def slopes(self, q: Tensor, p: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        count = q.shape[-1]
        potential = self.potential.gradient(torch.cat([q, told], dim=-1))
        kinetic = self.kinetic.gradient(torch.cat([p, told], dim=-1))
        return potential[..., :count], kinetic[..., :count]


class Pairwise(nn.Module):
    """The sum of T(p_i) over bodies, of one kind wherever they are, and of V(q_i - q_j) over pairs of them."""

    _places: Tensor
    _back: Tensor
    _one: Tensor
    _other: Tensor

    def __init__(self, coordinates: int, told: int, bodies: Sequence[Sequence[int]], **net: Any) -> None:
        super().__init__()
        inputs = len(bodies[0]) + told
        self.kinetic, self.potential = (Scalar(inputs, **net) for _ in range(2))
        one, other = zip(*combinations(range(len(bodies)), 2), strict=True)
        # Where each coordinate of the state stands among those of the bodies, one body after the other.
        back = inverse([place for body in bodies for place in body])
        for name, places in (("_places", bodies), ("_back", back), ("_one", one), ("_other", other)):
            self.register_buffer(name, torch.tensor(places), persistent=False)

    def forward(self, q: Tensor, p: Tensor, told: Tensor) -> Tensor:
        kinetic = self.kinetic(_beside(p[..., self._places], told)).sum(dim=-1)
        return kinetic + self.potential(_beside(self._gaps(q), told)).sum(dim=-1)

    def slopes(self, q: Tensor, p: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        width = self._places.shape[1]
        kinetic = self.kinetic.gradient(_beside(p[..., self._places], told))[..., :width]
        pull = self.potential.gradient(_beside(self._gaps(q), told))[..., :width]
        potential = torch.zeros_like(kinetic)
        potential = potential.index_add(-2, self._one, pull).index_add(-2, self._other, -pull)
        return potential.flatten(-2)[..., self._back], kinetic.flatten(-2)[..., self._back]

    def _gaps(self, q: Tensor) -> Tensor:
        """Of each pair of bodies, (..., pairs, d)."""
        places = q[..., self._places]
        return places[..., self._one, :] - places[..., self._other, :]


def _beside(parts: Tensor, told: Tensor) -> Tensor:
    """What is told of all beside each of the parts (..., n, d): (..., n, d + P)."""
    return torch.cat([parts, told[..., None, :].expand(*parts.shape[:-1], -1)], dim=-1)


def inverse(places: Sequence[int]) -> list[int]:
    """Where each number from 0 on stands among places that have each of them once."""
    return sorted(range(len(places)), key=places.__getitem__)


FORMS: dict[str, type[Whole | Separable | Pairwise]] = {
    "whole": Whole,
    "separable": Separable,
    "pairwise": Pairwise,
}
