"""Linear recurrent unit: Orvieto et al. (2023), arXiv:2303.06349."""

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, glu

from .model import Memory
from .settings import LruSettings
from .stacked import Block, StackedModel


class LinearRecurrence(Block):
    """x_t = L x_(t-1) + g B u_t and y_t = Re(C x_t) + D u_t, with a diagonal L, complex, of moduli below one.

    L = exp(-exp(nu) + i exp(theta)) begins evenly spread over a ring of the complex plane, and g = exp(gain), the
    paper's gamma, at sqrt(1 - |L|^2). A gated linear unit of what comes out stands beside what went in. The memory
    is x (B, states, 2), real and imaginary parts.
    """

    def __init__(self, width: int, states: int, least: float, most: float, phase: float) -> None:
        super().__init__()
        area, angle = torch.rand(states), torch.rand(states)
        modulus = (least**2 + area * (most**2 - least**2)).sqrt().clamp(1e-3, 1 - 1e-6)
        self.norm = nn.LayerNorm(width)
        self.nu = nn.Parameter(torch.log(-torch.log(modulus)))
        self.theta = nn.Parameter(torch.log(phase * angle.clamp_min(1e-6)))
        # By which inputs are scaled, so that states begin of one size, however slow they are.
        self.gain = nn.Parameter(torch.log(1 - modulus.square()) / 2)
        self.b = nn.Parameter(torch.randn(width, states, 2) / (2 * width) ** 0.5)
        self.c = nn.Parameter(torch.randn(states, width, 2) / states**0.5)
        self.d = nn.Parameter(torch.randn(width))
        self.gate = nn.Linear(width, 2 * width)

    def forward(self, seen: Tensor, past: Memory = None) -> tuple[Tensor, Memory]:
        inputs = self.norm(seen)
        decay = torch.exp(torch.complex(-self.nu.exp(), self.theta.exp()))
        driven = (inputs @ (self.b * self.gain.exp()[:, None]).flatten(1)).unflatten(2, (-1, 2))
        driven = torch.view_as_complex(driven)
        if past is not None:
            first = driven[:, :1] + decay * torch.complex(past[:, None, :, 0], past[:, None, :, 1])
            driven = torch.cat([first, driven[:, 1:]], dim=1)
        states = torch.view_as_real(scan(decay, driven))
        # Re(C x), of real and imaginary parts side by side.
        real = torch.stack([self.c[..., 0], -self.c[..., 1]], dim=1).flatten(0, 1)
        outputs = states.flatten(2) @ real + self.d * inputs
        return seen + glu(self.gate(gelu(outputs))), states[:, -1]


def scan(decay: Tensor, driven: Tensor) -> Tensor:
    """x_t = decay x_(t-1) + driven_t from x = 0, for decays (N,) and driven (B, T, N), in log2(T) rounds.

    After each round x_t has what was driven twice as long ago as before it (Hillis and Steele 1986,
    doi:10.1145/7902.7903).
    """
    reach = 1
    while reach < driven.shape[1]:
        later = driven[:, reach:] + decay * driven[:, :-reach]
        driven = torch.cat([driven[:, :reach], later], dim=1)
        decay, reach = decay * decay, 2 * reach
    return driven


class LRU(StackedModel):
    """Layers of linear recurrences, each followed by a gated linear unit.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: Width of what the layers see.
        layers: How many.
        states: Complex states of each layer.
        radius: The least and the largest modulus with which they begin, 0 to 1.
        phase: The largest angle with which they begin.
    """

    Settings = LruSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 32,
        layers: int = 2,
        states: int = 32,
        radius: Sequence[float] = (0.0, 1.0),
        phase: float = 2 * pi,
    ) -> None:
        least, most = radius
        blocks = [LinearRecurrence(hidden, states, least, most, phase) for _ in range(layers)]
        super().__init__(input_size, output_size, hidden, blocks)
