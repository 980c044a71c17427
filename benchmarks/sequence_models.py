"""What does an update, and what a step, of each sequence model cost beside those of an LSTM?

An update is the gradient of the loss over a batch of sequences and Adam's step; of the reservoir, one batch of least
squares. A step is one more point of each sequence, as rollouts take it. CPU time of one thread.
"""

from collections.abc import Callable
from time import process_time

import click
import torch
from report import figure, machine, ratios, repeated, rounds, spread, table
from trajstore.models import Model, ReadoutModel, count_parameters, make_model
from trajstore.pipeline.config.learners import LeastSquaresSettings
from trajstore.pipeline.config.learning import TrainingSection
from trajstore.pipeline.learn.learner import Context
from trajstore.pipeline.learn.least_squares import LeastSquares

NAMES = ("lstm", "gru", "rhn", "lru", "mamba", "transformer", "nbeats", "reservoir")
# Of a round.
STEPS = 20


def update_of(model: Model, inputs: torch.Tensor, targets: torch.Tensor) -> Callable[[], float]:
    """Measures one, in ms."""
    if isinstance(model, ReadoutModel):
        learner = LeastSquares(Context(model, LeastSquaresSettings(), TrainingSection()))
        return timed(lambda: learner.step(0, inputs, targets))
    optimizer = torch.optim.Adam(model.parameters())

    def update() -> None:
        optimizer.zero_grad()
        model.loss(inputs, targets).backward()
        optimizer.step()

    return timed(update)


def step_of(model: Model, inputs: torch.Tensor) -> Callable[[], float]:
    """Measures one of some, in ms."""

    @torch.no_grad()
    def steps() -> None:
        _, memory = model.step(inputs[:, 0])
        for _ in range(STEPS - 1):
            _, memory = model.step(inputs[:, 0], memory)

    return timed(steps, STEPS)


def timed(work: Callable[[], object], parts: int = 1) -> Callable[[], float]:
    def measure() -> float:
        begin = process_time()
        work()
        return 1e3 * (process_time() - begin) / parts

    return measure


@click.command(help=__doc__)
@click.option("--hidden", default=32)
@click.option("--units", default=300, help="Of the reservoir.")
@click.option("--components", default=3)
@click.option("--batch", default=64)
@click.option("--length", default=100, help="Points of each sequence.")
@click.option("--repetitions", default=9)
def main(hidden: int, units: int, components: int, batch: int, length: int, repetitions: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    where = machine("trajstore", "torch")
    inputs, targets = (torch.randn(batch, length, components) for _ in range(2))
    sizes = {"reservoir": {"units": units, "washout": length // 2}}
    models = {
        name: make_model(name, components, components, **sizes.get(name, {"hidden": hidden}))
        for name in NAMES
    }
    updates = {name: update_of(model, inputs, targets) for name, model in models.items()}
    steps = {name: step_of(model, inputs) for name, model in models.items()}
    rounds({**updates}, 1)
    found = [rounds(contenders, repetitions) for contenders in (updates, steps)]
    lines = [
        [
            name,
            f"{count_parameters(models[name]):,}",
            *(
                part
                for times in found
                for part in (
                    spread(times[name]),
                    figure(sorted(ratios(times[name], times["lstm"]))[repetitions // 2]),
                )
            ),
        ]
        for name in NAMES
    ]
    heads = ["model", "parameters", "an update, ms", "of the LSTM's", "a step, ms", "of the LSTM's"]
    print(table(heads, lines))
    told = f"{batch} sequences of {length} points of {components} components, {hidden} hidden, {units} units"
    print(f"\n{told}. {repeated(found[0])}\n\n{where}")


if __name__ == "__main__":
    main()
