"""Networks whose next state is a piecewise linear map of the present one, for the reconstruction of attractors."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..data.base.errors import DataError
from .facts import DataFacts
from .model import Memory, Model


class Pieces(NamedTuple):
    """z' = linear z + out relu(inner z + threshold) + offset, of M units with H hidden ones.

    Attributes:
        linear: (M, M).
        out: (M, H).
        inner: (H, M).
        threshold: (H,).
        offset: (M,).
    """

    linear: Tensor
    out: Tensor
    inner: Tensor
    threshold: Tensor
    offset: Tensor

    def step(self, state: Tensor) -> Tensor:
        """The next state (..., M) of states (..., M)."""
        hidden = torch.relu(nn.functional.linear(state, self.inner, self.threshold))
        return nn.functional.linear(state, self.linear, self.offset) + hidden @ self.out.T

    def jacobians(self, states: Tensor) -> Tensor:
        """dz'/dz (..., M, M) at states (..., M)."""
        on = (nn.functional.linear(states, self.inner, self.threshold) > 0).to(states)
        return self.linear + torch.einsum("ih,...h,hj->...ij", self.out, on, self.inner)


class PiecewiseModel(Model):
    """M units, of which the first N are the state; the others are what it remembers.

    A subclass has `pieces`, and calls `begin_units` when it is made.

    Attributes:
        units: M, at least the number of components; 0 is as many as these.
    """

    learner: ClassVar[str] = "forced"
    is_closed = True
    units: int

    def begin_units(self, input_size: int, output_size: int, units: int) -> None:
        """Set the sizes; units beside the state begin as L x of the first state x, and L is learned."""
        self.input_size, self.output_size = input_size, output_size
        self.units = max(units, output_size)
        others = self.units - output_size
        self.first = nn.Linear(output_size, others, bias=False) if others else None

    @classmethod
    def least_units(cls, components: int, **settings: Any) -> int:
        """The fewest units that a network of these settings has for so many components."""
        return components

    @classmethod
    def completed(cls, settings: Mapping[str, Any], data: DataFacts) -> Mapping[str, Any]:
        """The settings as they are. Raises DataError if they have fewer units than the state and they need."""
        units, least = settings["units"], cls.least_units(len(data.components), **settings)
        if 0 < units < least:
            raise DataError(
                f"model.units: got {units}, but {len(data.components)} components need {least} or more; expected that"
            )
        return settings

    @abstractmethod
    def pieces(self) -> Pieces:
        """The map, as it is now."""
        raise NotImplementedError

    def penalty(self) -> Tensor:
        """A scalar: squared weights, and how far the linear part is from leaving states alone."""
        raise NotImplementedError

    def begin(self, first: Tensor) -> Tensor:
        """All units (..., M), from the first state (..., N)."""
        return first if self.first is None else torch.cat([first, self.first(first)], dim=-1)

    def forward(self, inputs: Tensor) -> Tensor:
        """The next state (B, T, N) after each of the states (B, T, N), every one of which is put in as it is."""
        if self.first is None or torch.is_grad_enabled():
            return self.run(inputs)[0]
        # The same, and compiled; but what is compiled knows no vmap.
        return self.forced(inputs, torch.ones(inputs.shape[1]))[..., : self.output_size]

    def run(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the memory is all units (B, M) after the step."""
        if self.first is not None:
            return super().run(inputs, memory)
        states = self.pieces().step(inputs)
        return states, states[:, -1]

    def step(self, inputs: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """As of every model; the input takes the place of the first N units."""
        size = self.output_size
        state = self.begin(inputs) if memory is None else torch.cat([inputs, memory[:, size:]], dim=1)
        state = self.pieces().step(state)
        return state[:, :size], state

    def forced(self, inputs: Tensor, forcing: Tensor) -> Tensor:
        """All units (B, T, M) after each step, where its own state goes on, drawn to the inputs.

        Args:
            inputs: (B, T, N) states. The first one is put in as it is.
            forcing: (T,) how far: 0 is not at all, 1 puts the input in the place of the first N units.
        """
        return _best_way(inputs.device.type)(
            inputs, forcing.to(inputs), self.begin(inputs[:, 0]), *self.pieces()
        )

    def work(self, batch: int) -> float:
        return batch * 2 * sum(weight.numel() for weight in self.parameters())


def forced_loop(x: Tensor, forcing: Tensor, start: Tensor, *pieces: Tensor) -> Tensor:
    """As of `PiecewiseModel.forced`, in plain torch on any device: `start` is (B, M)."""
    step, size = Pieces(*pieces).step, x.shape[2]
    state, states = start, []
    for now, strength in zip(x.unbind(1), forcing.tolist(), strict=True):
        if states:
            told, rest = state[:, :size], state[:, size:]
            state = torch.cat([torch.lerp(told, now, strength), rest], dim=1)
        state = step(state)
        states.append(state)
    return torch.stack(states, dim=1)


@cache
def _best_way(device: str) -> Callable[..., Any]:
    """The compiled one on a CPU where numba is installed (the extra fast)."""
    if device == "cpu":
        try:
            from .fused import Fused
        except (ImportError, RuntimeError):
            # Not installed, or with nowhere to keep what it compiles.
            return forced_loop
        return Fused.apply
    return forced_loop


def stable_diagonal(units: int) -> Tensor:
    """(M,) the diagonal of K / its largest eigenvalue, where K = R'R/M + 1 and R has normal entries."""
    random = torch.randn(units, units)
    square = random.T @ random / units + torch.eye(units)
    return (square / torch.linalg.eigvalsh(square)[-1]).diagonal().clone()


def uniform(*shape: int) -> Tensor:
    """Entries from -1 to 1 over the root of the number of columns."""
    return (2 * torch.rand(shape) - 1) / shape[-1] ** 0.5
