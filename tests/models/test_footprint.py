"""Whatever a network takes at each point of a sequence, it is run over no more of them than fit."""

import subprocess
import sys

import pytest
import torch
from trajstore.models import footprint as module
from trajstore.models import make_model
from trajstore.models.footprint import outputs_of, sequences_at_once

LIMIT = 1 << 16
SETTINGS = {
    "lstm": {"hidden": 6},
    "rhn": {"hidden": 6},
    "lru": {"hidden": 6, "states": 5},
    "mamba": {"hidden": 6, "heads": 3, "states": 4},
    "transformer": {"hidden": 6, "heads": 2, "length": 4},
    "nbeats": {"hidden": 6, "basis": 4, "length": 5},
    "reservoir": {"units": 30, "patch": 1, "overlap": 1},
    "mlp": {"hidden": [8]},
}


def build(name):
    torch.manual_seed(0)
    return make_model(name, 3, 3, **SETTINGS[name]).double().eval()


def sequences(batch, steps):
    return torch.randn(batch, steps, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Watched(torch.nn.Module):
    """A network, and of how many sequences and points it was called."""

    def __init__(self, model):
        super().__init__()
        self.model, self.calls = model, []

    def forward(self, inputs):
        self.calls.append(tuple(inputs.shape[:2]))
        return self.model(inputs)

    def run(self, inputs, memory=None):
        self.calls.append(tuple(inputs.shape[:2]))
        return self.model.run(inputs, memory)


@pytest.mark.parametrize("steps", [9, 60])
@pytest.mark.parametrize("name", SETTINGS)
def test_parts_give_what_all_at_once_give(name, steps, monkeypatch):
    model, inputs = build(name), sequences(200, steps)
    with torch.no_grad():
        whole = model(inputs)
    monkeypatch.setattr(module, "MOST_BYTES", LIMIT)
    monkeypatch.setattr(module, "MOST_POINTS", 40)
    watched = Watched(model)
    torch.testing.assert_close(outputs_of(watched, inputs), whole, rtol=0, atol=1e-12)
    # Two sequences, three, and then the parts.
    parts = watched.calls[2:]
    assert len(parts) > 1
    assert sum(batch * length for batch, length in parts) == 200 * steps


def test_a_reservoir_is_run_over_as_many_sequences_as_its_units_allow(monkeypatch):
    """Counted by hand: of each point the features are the largest, units and what is seen, for each patch."""
    monkeypatch.setattr(module, "MOST_BYTES", LIMIT)
    of_a_point = 3 * (30 + 3) * 8
    assert sequences_at_once(build("reservoir"), sequences(5, 7)) == LIMIT // of_a_point // 7


def test_weights_and_masks_do_not_count(monkeypatch):
    """They are there once, however many sequences there are."""

    class Wide(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3, 3, dtype=torch.float64))

        def forward(self, inputs):
            stretched = (self.weight * torch.ones(10_000, 3, 3)).sum(dim=0)
            return inputs @ stretched

    monkeypatch.setattr(module, "MOST_BYTES", LIMIT)
    assert sequences_at_once(Wide(), sequences(5, 7)) == LIMIT // (7 * 3 * 8)


def test_one_sequence_is_run_at_least_and_nothing_is_looked_at_for_it(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    watched = Watched(build("lstm"))
    outputs_of(watched, sequences(1, 7))
    assert watched.calls == [(1, 7)]
    outputs_of(watched, sequences(3, 7))
    assert watched.calls[1:] == [(2, 7), (3, 7), (1, 7), (1, 7), (1, 7)]


def test_a_long_sequence_is_looked_at_by_its_first_points(monkeypatch):
    """It would else be run over five times before it is run over once."""
    monkeypatch.setattr(module, "MOST_POINTS", 40)
    monkeypatch.setattr(module, "LOOKED_AT", 7)
    watched = Watched(build("lstm"))
    outputs_of(watched, sequences(1, 100))
    assert watched.calls == [(2, 7), (3, 7), (1, 40), (1, 40), (1, 20)]


MEASURED = """
import resource, sys, torch
from trajstore.models import make_model
from trajstore.models.footprint import outputs_of
model = make_model("reservoir", 40, 40, units=200, patch=2, overlap=4, washout=5).double().eval()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outputs_of(model, torch.zeros(400, 60, 40, dtype=torch.float64))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_process_takes_a_bounded_memory():
    """24 000 points of 33 kB are .8 GB at each of the operations, of which some six are held at once."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 9 * module.MOST_BYTES
