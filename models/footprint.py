"""How many sequences a network may run over at once: what it makes of each is seen on a few."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from .model import Model

# Of the largest tensor that a network makes on its way; it holds several of that size at a time.
MOST_BYTES = 128 << 20
# Of one sequence: longer ones are run in pieces, and looked at by their first points alone.
MOST_POINTS, LOOKED_AT = 20_000, 1_000

_known: WeakKeyDictionary[Model, dict[int, int]] = WeakKeyDictionary()


@torch.no_grad()
def outputs_of(model: Model, inputs: Tensor) -> Tensor:
    """Outputs (B, T, D_out) of inputs (B, T, D_in), by parts of which each fits in memory."""
    batch, steps, _ = inputs.shape
    if steps <= MOST_POINTS:
        return torch.cat([model(part) for part in inputs.split(sequences_at_once(model, inputs))])
    outputs, memory = [], None
    for piece in inputs.split(max(1, min(MOST_POINTS, _points_at_once(model, inputs) // batch)), dim=1):
        output, memory = model.run(piece, memory)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


def sequences_at_once(model: Model, inputs: Tensor) -> int:
    """How many sequences like inputs (B, T, D_in) a model may run over at once; at least one, whatever it takes."""
    batch, steps, _ = inputs.shape
    return 1 if batch <= 1 else max(1, _points_at_once(model, inputs) // steps)


@torch.no_grad()
def _points_at_once(model: Model, inputs: Tensor) -> int:
    """How many points of sequences like inputs (B, T, D_in), all together.

    What is made of three sequences is held against what is made of two: so weights, and all else that is there
    once, do not count. Looked at once for each model and length.
    """
    known = _known.setdefault(model, {})
    one = inputs[:1, : LOOKED_AT if inputs.shape[1] > MOST_POINTS else None]
    steps = one.shape[1]
    if steps not in known:
        # Not one: torch goes another way with a single sequence.
        two, three = (_sizes(model, one.expand(count, -1, -1)) for count in (2, 3))
        growth = max((more - less for less, more in zip(two, three, strict=False)), default=0)
        known[steps] = MOST_BYTES * steps // max(1, growth)
    return known[steps]


def _sizes(model: Model, inputs: Tensor) -> list[int]:
    with _Sizes() as seen:
        model(inputs)
    return seen.bytes


class _Sizes(TorchFunctionMode):
    """Bytes of every tensor that is made, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.bytes += [leaf.nbytes for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
        return made
