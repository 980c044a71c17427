"""Echo state network: Jaeger and Haas (2004), doi:10.1126/science.1091277; by patches of a field as Pathak et al.

(2018), doi:10.1103/PhysRevLett.120.024102, have it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..data.base.errors import DataError
from .facts import DataFacts
from .model import Memory
from .readout import ReadoutModel
from .settings import ReservoirSettings


class Reservoir(ReadoutModel):
    """r_t = (1 - leak) r_(t-1) + leak tanh(A r_(t-1) + W u_t + b), of which only a readout is learned.

    A is random, sparse, and of the spectral radius that is asked for. The readout sees r, every other unit squared
    (Lu et al. 2017, doi:10.1063/1.4979665), and u. With patches each sees its own components and `overlap` of them on
    both sides, on a ring. Reservoir and readout are one for all patches, for a field whose equation is the same at
    all places: so each learns from all of them. The memory is r, (B, patches, units).

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        units: Of the reservoir.
        radius: The largest modulus of eigenvalues of A.
        connections: Into each unit from others, on average.
        strength: W and b are drawn evenly from -strength to strength.
        leak: How much of a unit is new after each step.
        patch: Components of each patch; None is all of them, and one reservoir.
        overlap: How many of its neighbours' components a patch sees on each side.
        washout: Steps at the beginning of each sequence that are not learned from.
    """

    Settings = ReservoirSettings
    weights: Tensor
    inputs: Tensor
    bias: Tensor
    seen: Tensor

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        units: int = 300,
        radius: float = 0.9,
        connections: int = 6,
        strength: float = 0.1,
        leak: float = 1.0,
        patch: int | None = None,
        overlap: int = 0,
        washout: int = 50,
    ) -> None:
        super().__init__()
        _check_patches(patch, overlap, output_size)
        self.input_size, self.output_size = input_size, output_size
        self.units, self.leak, self.washout = units, leak, washout
        patches = output_size // patch if patch else 1
        # Without patches all inputs are seen; else those of a patch and around it, and what is told beside the state.
        width = patch + 2 * overlap + input_size - output_size if patch else input_size
        drawn = torch.rand(units, units) * 2 - 1
        drawn = drawn * (torch.rand(units, units) < connections / units)
        self.register_buffer("weights", drawn * (radius / spectral_radius(drawn)))
        self.register_buffer("inputs", strength * (torch.rand(width, units) * 2 - 1))
        self.register_buffer("bias", strength * (torch.rand(units) * 2 - 1))
        if patch:
            first, state = patch * torch.arange(patches)[:, None], torch.arange(patch + 2 * overlap) - overlap
            beside = torch.arange(output_size, input_size).expand(patches, -1)
            seen = torch.cat([(first + state) % output_size, beside], dim=1)
        else:
            seen = torch.arange(input_size)[None]
        self.register_buffer("seen", seen, persistent=False)
        self.readout = nn.Linear(units + width, output_size // patches)

    def features(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Of each patch: (B, T, D_in) -> (B, T, patches, units + inputs that it sees), and r."""
        seen = inputs[..., self.seen]
        driven = seen @ self.inputs + self.bias
        state, states = torch.zeros_like(driven[:, 0]) if memory is None else memory, []
        for now in driven.unbind(dim=1):
            state = torch.lerp(state, torch.tanh(state @ self.weights + now), self.leak)
            states.append(state)
        found = torch.stack(states, dim=1)
        odd = torch.arange(self.units, device=found.device) % 2 == 1
        return torch.cat([torch.where(odd, found, found.square()), seen], dim=3), state

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> Mapping[str, Any]:
        """The same. Raises DataError where patches do not cover the components, or see some twice."""
        _check_patches(settings["patch"], settings["overlap"], len(data.components))
        return settings

    @classmethod
    def fewest_weights(cls, **_: Any) -> int:
        return 5

    def work(self, batch: int) -> float:
        return float(batch * len(self.seen) * self.units**2)


def _check_patches(patch: int | None, overlap: int, size: int) -> None:
    """Raise DataError where patches do not cover so many components, or see some twice."""
    if patch is not None and size % patch:
        raise DataError(f"model.patch: got {patch}, expected a divisor of the {size} components")
    if patch is not None and patch + 2 * overlap > size:
        raise DataError(
            f"model.overlap: got {overlap} on each side of a patch of {patch}, but there are {size} components "
            f"in all; expected {(size - patch) // 2} at most"
        )


def spectral_radius(matrix: Tensor) -> Tensor:
    """The largest modulus of the eigenvalues, a scalar; 1 of a matrix that has no others than zero."""
    if matrix.is_meta:
        return matrix.new_ones(())
    # In float64, where rounding is no part of what a seed gives.
    largest = torch.linalg.eigvals(matrix.double()).abs().max()
    return torch.where(largest > 0, largest, torch.ones_like(largest)).to(matrix)
