"""Mamba-2: Dao and Gu (2024), Transformers are SSMs, arXiv:2405.21060, by its chunked quadratic form."""

from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, silu, softplus

from .model import Memory
from .settings import MambaSettings
from .stacked import Block, StackedModel

# Points that are taken together as a matrix; from one such chunk to the next a state is handed on.
CHUNK = 32
# Width inside a layer in that of the model, and how many points its convolution sees, as in the paper.
EXPANSION, REACH = 2, 4
# Between which time steps and decay rates begin, as in the paper.
TIME_STEPS, RATES = (1e-3, 1e-1), (1.0, 16.0)


class Selective(Block):
    """A state space in each head: S_t = exp(-dt_t A) S_(t-1) + dt_t x_t B_t', y_t = S_t C_t + D x_t, A = exp(rates).

    B, C, x and dt follow from the input at t, the first three by way of a short causal convolution. The memory is
    what the convolution still sees, (B, 3, channels), and the states, (B, heads, channels a head, N).
    """

    def __init__(self, width: int, heads: int, states: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        self.heads, self.states, self.inner = heads, states, inner
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.projection = nn.Linear(width, 2 * inner + 2 * states + heads, bias=False)
        self.convolution = nn.Conv1d(inner + 2 * states, inner + 2 * states, REACH, groups=inner + 2 * states)
        steps = torch.exp(torch.empty(heads).uniform_(*(log(step) for step in TIME_STEPS)))
        # Of which softplus makes the time steps.
        self.dt = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))
        self.rates = nn.Parameter(torch.log(torch.empty(heads).uniform_(*RATES)))
        self.d = nn.Parameter(torch.ones(heads))
        self.norm_after = nn.RMSNorm(inner, eps=1e-6)
        self.joined = nn.Linear(inner, width, bias=False)

    def forward(self, seen: Tensor, past: Memory = None) -> tuple[Tensor, Memory]:
        parts = [self.inner, self.inner + 2 * self.states, self.heads]
        gate, channels, steps = self.projection(self.norm(seen)).split(parts, dim=2)
        if past is None:
            tail = channels.new_zeros(len(seen), REACH - 1, channels.shape[2])
            state = channels.new_zeros(len(seen), self.heads, self.inner // self.heads, self.states)
        else:
            tail, state = past
        told = torch.cat([tail, channels], dim=1)
        weight, bias = self.convolution.weight, self.convolution.bias
        convolved = silu(conv1d(told.transpose(1, 2), weight, bias, groups=told.shape[2]).transpose(1, 2))
        x, b, c = convolved.split([self.inner, self.states, self.states], dim=2)
        x, dt = x.unflatten(2, (self.heads, -1)), softplus(steps + self.dt)
        y, state = state_space(dt[..., None] * x, -dt * self.rates.exp(), b, c, state)
        y = (y + self.d[:, None] * x).flatten(2)
        outputs = self.joined(self.norm_after(y * silu(gate)))
        return seen + outputs, (told[:, seen.shape[1] :], state)


def state_space(driven: Tensor, decay: Tensor, b: Tensor, c: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (B, T, H, P) of S_t = exp(decay_t) S_(t-1) + driven_t b_t', y_t = S_t c_t, and the last state.

    Args:
        driven: (B, T, H, P).
        decay: (B, T, H), below zero.
        b: (B, T, N).
        c: (B, T, N).
        state: (B, H, P, N), before the first.

    Within a chunk y_t is the sum over s <= t of (c_t . b_s) exp(decay_(s+1) + ... + decay_t) driven_s: attention
    without a softmax, whose mask decays.
    """
    outputs = []
    for x, rate, key, query in zip(
        *(part.split(CHUNK, dim=1) for part in (driven, decay, b, c)), strict=True
    ):
        # Heads first: (B, H, t, ...).
        x, total = x.transpose(1, 2), rate.cumsum(dim=1).transpose(1, 2)[..., None]
        later = torch.ones(2 * [x.shape[2]], dtype=torch.bool, device=x.device).triu(1)
        mask = (total - total.transpose(2, 3)).masked_fill(later, -torch.inf).exp()
        within = ((query @ key.transpose(1, 2))[:, None] * mask) @ x
        before = total.exp() * (query[:, None] @ state.transpose(2, 3))
        outputs.append(within + before)
        last = total[:, :, -1:]
        state = last.exp() * state + ((last - total).exp() * x).transpose(2, 3) @ key[:, None]
    return torch.cat(outputs, dim=2).transpose(1, 2), state


class Mamba(StackedModel):
    """Layers of selective state spaces.

    Args:
        input_size: How many components the inputs have.
        output_size: How many components the targets have.
        hidden: Width of what the layers see; inside they are twice as wide.
        layers: How many.
        heads: In each layer; twice `hidden` is a multiple.
        states: Of each channel of a head.
    """

    Settings = MambaSettings

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 32,
        layers: int = 2,
        heads: int = 4,
        states: int = 16,
    ) -> None:
        blocks = [Selective(hidden, heads, states) for _ in range(layers)]
        super().__init__(input_size, output_size, hidden, blocks)
