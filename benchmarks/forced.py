"""What does an update of forced learning take, compiled by numba and in plain torch?

Forward, gradients and optimiser step of 16 windows of 200 points, in CPU time of one thread, the least of some
rounds, so that it says little of what else the machine does. Needs `pip install -e '.[fast]'`.
"""

from collections.abc import Callable
from time import process_time

import torch
from report import figure, machine, table
from torch.nn.functional import mse_loss
from trajstore.models import make_model
from trajstore.models.fused import Fused
from trajstore.models.piecewise import forced_loop

MODELS = {
    "shplrnn, M = 3, L = 50": ("shplrnn", {"hidden": 50}),
    "shplrnn, M = 3, L = 150": ("shplrnn", {"hidden": 150}),
    "alrnn, M = 30, P = 10": ("alrnn", {"units": 30, "relus": 10}),
    "dendplrnn, M = 3, B = 20": ("dendplrnn", {"bases": 20}),
}
WAYS: dict[str, tuple[Callable[..., torch.Tensor], int]] = {
    "numba": (Fused.apply, 50),
    "torch": (forced_loop, 3),
}
ROUNDS = 5


def least(name: str, settings: dict[str, int], way: Callable[..., torch.Tensor], updates: int) -> float:
    """CPU milliseconds of an update."""
    torch.manual_seed(0)
    model = make_model(name, 3, 3, **settings)
    optimizer = torch.optim.RAdam(model.parameters(), lr=1e-4)
    x, forcing = torch.randn(16, 201, 3), torch.full((200,), 0.1)
    found = []
    for _ in range(ROUNDS + 1):
        begin = process_time()
        for _ in range(updates):
            optimizer.zero_grad()
            states = way(x[:, :-1], forcing, model.begin(x[:, 0]), *model.pieces())
            mse_loss(states[..., :3], x[:, 1:]).backward()
            optimizer.step()
        found.append((process_time() - begin) / updates * 1e3)
    # Without the round that compiles.
    return min(found[1:])


def main() -> None:
    torch.set_num_threads(1)
    where = machine("trajstore", "torch", "numba")
    lines = []
    for label, (name, settings) in MODELS.items():
        taken = {way: least(name, settings, *given) for way, given in WAYS.items()}
        lines.append([label, *map(figure, taken.values()), figure(taken["torch"] / taken["numba"])])
    print(table(["", *(f"{way}, ms" for way in WAYS), "ratio"], lines))
    print(where)


if __name__ == "__main__":
    main()
