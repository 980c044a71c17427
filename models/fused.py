"""A forced recurrence of a piecewise linear map and its gradients, compiled by numba: a Python loop over time costs
some sixteen times as much. `piecewise.forced_loop` is what it computes, and what stands in for it.
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor


@njit(cache=True, fastmath=True)
def _forward(x, forcing, start, linear, out, inner, threshold, offset, seen, states, active):
    """Fill in, of each sequence and time, the state that goes in, the one that comes out, and the hidden units.

    The matrix `inner` comes transposed.
    """
    batch, steps, told = x.shape
    units, hidden = out.shape
    for b in range(batch):
        for t in range(steps):
            q, z, r = seen[b, t], states[b, t], active[b, t]
            for i in range(units):
                q[i] = start[b, i] if t == 0 else states[b, t - 1, i]
            if t > 0 and forcing[t] == 1:
                # As it is: a state that has gone far astray would cost it its digits.
                q[:told] = x[b, t]
            elif t > 0:
                for i in range(told):
                    q[i] += forcing[t] * (x[b, t, i] - q[i])
            r[:] = threshold
            for j in range(units):
                for k in range(hidden):
                    r[k] += inner[j, k] * q[j]
            for k in range(hidden):
                r[k] = max(r[k], 0)
            for i in range(units):
                value = offset[i]
                for j in range(units):
                    value += linear[i, j] * q[j]
                for k in range(hidden):
                    value += out[i, k] * r[k]
                z[i] = value


@njit(cache=True, fastmath=True)
def _backward(gradient, forcing, told, linear, out, inner, active, of_states, of_hidden, of_start):
    """Fill in the gradients by what comes out of each step, by its hidden units, and by the first state.

    The matrices `linear` and `inner` come transposed.
    """
    batch, steps, units = gradient.shape
    hidden = active.shape[2]
    carried = np.zeros(units, gradient.dtype)
    for b in range(batch):
        carried[:] = 0
        for t in range(steps - 1, -1, -1):
            g, p, r = of_states[b, t], of_hidden[b, t], active[b, t]
            p[:] = 0
            for i in range(units):
                g[i] = gradient[b, t, i] + carried[i]
                for k in range(hidden):
                    p[k] += g[i] * out[i, k]
            for k in range(hidden):
                p[k] = p[k] if r[k] > 0 else 0
            for j in range(units):
                value = carried[j] * 0
                for i in range(units):
                    value += linear[j, i] * g[i]
                for k in range(hidden):
                    value += inner[j, k] * p[k]
                carried[j] = value
            if t > 0:
                for i in range(told):
                    carried[i] *= 1 - forcing[t]
        for i in range(units):
            of_start[b, i] = carried[i]


class Fused(torch.autograd.Function):
    """States (B, T, M), as of `piecewise.forced_loop`, of tensors on a CPU; inputs and forcing get no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forcing: Tensor, start: Tensor, *pieces: Tensor) -> Tensor:
        batch, steps, told = x.shape
        linear, out, inner, threshold, offset = pieces
        units, hidden = out.shape
        seen, states = (x.new_empty(batch, steps, units) for _ in range(2))
        active = x.new_empty(batch, steps, hidden)
        given = (x, forcing, start, linear, out, inner.T, threshold, offset, seen, states, active)
        _forward(*(tensor.detach().contiguous().numpy() for tensor in given))
        ctx.save_for_backward(forcing, linear, out, inner, seen, active)
        ctx.told = told
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        forcing, linear, out, inner, seen, active = ctx.saved_tensors
        (gradient,) = gradients
        of_states, of_hidden = torch.empty_like(seen), torch.empty_like(active)
        of_start = torch.empty_like(seen[:, 0])
        given = (linear.T, out, inner.T, active, of_states, of_hidden, of_start)
        first, second, *others = (
            tensor.detach().contiguous().numpy() for tensor in (gradient, forcing, *given)
        )
        _backward(first, second, ctx.told, *others)
        g, p, q, r = (tensor.flatten(0, 1) for tensor in (of_states, of_hidden, seen, active))
        return None, None, of_start, g.T @ q, g.T @ r, p.T @ q, p.sum(0), g.sum(0)
