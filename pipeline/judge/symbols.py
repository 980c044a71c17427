"""Which regions a free run passes through, of a network that is linear in each of a few."""

import numpy as np
import torch

from ...models import Model
from .forecasters.trained import Trained, kind_of
from .rollouts import Group

# Points of a free run whose regions are kept, behind those that are dropped.
POINTS = 20_000


@torch.no_grad()
def symbol_run(trained: Trained, group: Group, dropped: int) -> dict[str, np.ndarray]:
    """A free run from the first start of a group: `symbol_states` (T, D) in raw units, and `symbols` (T,), the region
    that each is in.

    Args:
        trained: The network; one that has no symbols gives an empty dict.
        group: Of rollouts, of which the first is followed.
        dropped: How many points at the beginning are left out.
    """
    model = trained.model
    if type(model).symbols is Model.symbols:
        return {}
    found, symbols = [], []
    history, channels = trained.seen(group.history[:1], group.parameters[:1], kind_of(model))
    memory, now = None, history[:, 0]
    for number in range(history.shape[1] - 1 + dropped + POINTS):
        if 0 < number < history.shape[1]:
            now = history[:, number]
        now, memory = model.step(torch.cat([now, channels], dim=1), memory)
        if number < history.shape[1] - 1 + dropped:
            continue
        found.append(now)
        symbols.append(model.symbols(memory))
    return {"symbol_states": trained.raw(torch.cat(found)), "symbols": torch.cat(symbols).cpu().numpy()}
