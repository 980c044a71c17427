"""What of a small recurrent step is arithmetic, and what is calling for it?

Forward and backward pass of an LSTM over windows, in CPU time of one thread, the least of some rounds: by torch's own
module, by a loop in Python over one step after the other, and the same multiplications, gates and gradients for all
steps at once, as they could be had if no step had to wait for the one before.
"""

from collections.abc import Callable
from time import process_time

import torch
from report import figure, machine, table
from torch import Tensor, nn

# Hidden units, windows together, points.
SIZES = ((12, 128, 21), (20, 256, 21), (32, 64, 101), (64, 256, 101), (256, 256, 21))
COMPONENTS = 2
ROUNDS = 7
# A round takes at least so many seconds.
LEAST = 0.1

Pass = Callable[[nn.LSTM, Tensor], Tensor]


def gates(lstm: nn.LSTM, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state after a step; see the docs of `torch.nn.LSTM`."""
    both = torch.cat([inputs, hidden], dim=-1)
    weights = torch.cat([lstm.weight_ih_l0, lstm.weight_hh_l0], dim=1)
    write, forget, candidate, out = nn.functional.linear(
        both, weights, lstm.bias_ih_l0 + lstm.bias_hh_l0
    ).chunk(4, dim=-1)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(write) * torch.tanh(candidate)
    return torch.sigmoid(out) * torch.tanh(cell), cell


def module(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    return lstm(inputs)[0]


def loop(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    hidden = cell = inputs.new_zeros(len(inputs), lstm.hidden_size)
    states = []
    for at in inputs.unbind(1):
        hidden, cell = gates(lstm, at, hidden, cell)
        states.append(hidden)
    return torch.stack(states, dim=1)


def at_once(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    hidden = cell = inputs.new_zeros(*inputs.shape[:2], lstm.hidden_size).requires_grad_()
    return gates(lstm, inputs, hidden, cell)[0]


WAYS: dict[str, Pass] = {"torch.nn.LSTM": module, "loop": loop, "at once": at_once}


def least(way: Pass, hidden: int, windows: int, points: int) -> float:
    """CPU microseconds of a step of all windows, forward and backward."""
    generator = torch.Generator().manual_seed(0)
    lstm = nn.LSTM(COMPONENTS, hidden, batch_first=True)
    inputs = torch.randn(windows, points, COMPONENTS, generator=generator)

    def update() -> None:
        lstm.zero_grad()
        way(lstm, inputs).square().mean().backward()

    update()
    found, updates = [], 1
    while len(found) < ROUNDS:
        begin = process_time()
        for _ in range(updates):
            update()
        taken = process_time() - begin
        if taken < LEAST:
            updates *= 2
        else:
            found.append(taken / updates / points * 1e6)
    return min(found)


def main() -> None:
    torch.set_num_threads(1)
    where = machine("torch")
    lines = []
    for size in SIZES:
        taken = {name: least(way, *size) for name, way in WAYS.items()}
        arithmetic = taken["at once"]
        others = [figure(taken[name] / arithmetic) for name in ("torch.nn.LSTM", "loop")]
        lines.append([*map(str, size), *map(figure, taken.values()), *others])
    named = (
        "hidden",
        "windows",
        "points",
        *(f"{name}, us" for name in WAYS),
        "module / at once",
        "loop / at once",
    )
    print(table(named, lines))
    print(where)


if __name__ == "__main__":
    main()
