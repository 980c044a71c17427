"""A trained network step by step, in float64, with all that it carries along as numbers."""

import copy
from typing import Any

import numpy as np
import torch

from .trained import Trained


class SteppingNetwork:
    """Each run has a batch of its own, for what a network remembers has its own order of axes."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._model = copy.deepcopy(trained.model).cpu().double()
        self._carries: list[Any] = []
        self._channels: list[torch.Tensor] = []
        self.stride = 1

    @torch.no_grad()
    def begin(self, history: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """As of `Stepping`: the first advance is made here, since a memory may begin as None.

        Raises NotImplementedError if the task does not tell what it carries along.
        """
        trained, kind = self._trained, {"dtype": torch.float64}
        states, channels = trained.seen(history, parameters, kind)
        self._channels = list(channels[:, None].unbind(0))
        self._carries = []
        for one, told in zip(states, self._channels, strict=True):
            carry = trained.task.begin(self._model, one[None], told, trained.length)
            found, carry = trained.task.advance(self._model, carry, told, trained.length)
            self.stride = found.shape[1]
            self._carries.append(carry)
        return (np.stack([_flat(carry) for carry in self._carries]),)

    @torch.no_grad()
    def advance(self, carry: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """As of `Stepping`."""
        trained, states, after = self._trained, [], []
        for row, form, told in zip(carry[0], self._carries, self._channels, strict=True):
            shaped, _ = _like(form, torch.from_numpy(row))
            found, shaped = trained.task.advance(self._model, shaped, told, trained.length)
            states.append(found[0, -1])
            after.append(_flat(shaped))
        return trained.raw(torch.stack(states)), (np.stack(after),)


def _flat(carry: Any) -> np.ndarray:
    """All numbers of tensors in tuples and lists, one after the other."""
    if isinstance(carry, torch.Tensor):
        return carry.reshape(-1).numpy()
    return np.concatenate([np.empty(0), *(_flat(part) for part in carry or ())])


def _like(form: Any, numbers: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """Numbers in the form that these had before they were laid flat, and those that are left."""
    if isinstance(form, torch.Tensor):
        return numbers[: form.numel()].reshape(form.shape), numbers[form.numel() :]
    if form is None:
        return None, numbers
    parts = []
    for part in form:
        found, numbers = _like(part, numbers)
        parts.append(found)
    return type(form)(parts), numbers
