"""The energy that a network has learned is compared with the true one at states of the split, whatever its constant,
and is there for figures; a network without an energy has nothing of it.
"""

import numpy as np
import pytest
import torch
from trajstore.data.tasks.registry import get_task
from trajstore.models import HNN, MLP, EnergyModel
from trajstore.pipeline import check_config, evaluate, generate, plot, train
from trajstore.pipeline.draw.run_figures.energy import draw_energy
from trajstore.pipeline.draw.run_figures.hamiltonian import draw_hamiltonian
from trajstore.pipeline.draw.run_figures.plot import load_results
from trajstore.pipeline.draw.run_figures.portraits import draw_portraits
from trajstore.pipeline.judge.learned_energy import LearnedEnergy
from trajstore.pipeline.judge.metrics.metric import Context
from trajstore.pipeline.judge.predictions import NetworkSamples
from trajstore.pipeline.judge.truth import Truth
from trajstore.pipeline.runs.splits import open_split
from trajstore.pipeline.study.energies import draw_energies
from trajstore.pipeline.study.figures import JudgedRun

CONFIG = {
    "system": {"name": "mass-spring"},
    "initial_states": {"kind": "shell", "radius": [0.2, 1.0]},
    "grid": {"duration": 3.0, "points": 12},
    "dataset": {"train": 12, "validation": 3, "test": 6, "dtype": "float64"},
    "task": {"name": "vector-field"},
    "model": {"name": "hnn", "hidden": [6]},
    "training": {"steps": 30, "batch": 64, "evaluate_every": 10, "dtype": "float64", "learning_rate": 0.02},
    "evaluation": {"rollouts": 5, "rollout_lengths": 2, "baselines": ["linear", "persistence"]},
}


@pytest.fixture(scope="module")
def spring(tmp_path_factory):
    folder = tmp_path_factory.mktemp("energies") / "data"
    generate(check_config(CONFIG, "test"), folder, 1)
    return folder


@pytest.fixture(scope="module")
def runs(spring, tmp_path_factory):
    """Of a network that has an energy, and of one that has none."""
    folder, found = tmp_path_factory.mktemp("energies"), {}
    for name in ("hnn", "mlp"):
        config = check_config({**CONFIG, "model": {"name": name, "hidden": [6]}}, "test")
        train(config, spring, folder / name)
        found[name] = folder / name, evaluate(folder / name)
    return found


class Tilted(EnergyModel):
    """H = q**2 + p**2 + tilt q + 5, with a weight that says its type."""

    def __init__(self, tilt: float) -> None:
        super().__init__()
        self.pairs, self.output_size = [(0, 1)], 2
        self.tilt = torch.nn.Parameter(torch.tensor(tilt, dtype=torch.float64))

    def hamiltonian(self, states, parameters):
        return states.square().sum(-1) + self.tilt * states[..., 0] + 5

    def field(self, states, parameters):
        q, p = states.unbind(-1)
        return torch.stack([2 * p, -2 * q - self.tilt], dim=-1)


@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_the_error_of_a_known_energy_is_that_of_what_it_has_too_much(tilt, spring):
    test = open_split(spring, "test", get_task("vector-field"), dtype="float64")
    truth = Truth.of(test)
    model, context = Tilted(tilt), Context(test.components, np.ones(2), test.time, system=truth.system)
    found, arrays = LearnedEnergy.of(model, NetworkSamples(model, test, test), truth, context).result()
    states = test.states(slice(None)).numpy()
    expected = np.std(tilt * states[..., 0]) / np.std(np.square(states).sum(-1))
    assert found["hamiltonian_error"] == pytest.approx(expected, abs=1e-12)
    across, up = arrays["hamiltonian_axes"]
    true = across[None] ** 2 + up[:, None] ** 2
    np.testing.assert_allclose(arrays["hamiltonian_grid_true"], true, rtol=1e-12)
    np.testing.assert_allclose(arrays["hamiltonian_grid"], true + tilt * across[None] + 5, rtol=1e-12)
    assert np.abs(states).max(axis=(0, 1)) == pytest.approx([across.max(), up.max()], rel=0.2)


def test_a_network_without_an_energy_and_one_of_standardised_states_have_none(spring):
    options = {"dtype": "float64"}
    test = open_split(spring, "test", get_task("vector-field"), **options)
    seen = open_split(spring, "test", get_task("vector-field"), normalize=True, **options)
    context = Context(test.components, np.ones(2), test.time)
    assert LearnedEnergy.of(MLP(2, 2), NetworkSamples(MLP(2, 2), test, test), None, context) is None
    assert LearnedEnergy.of(HNN(2, 2), NetworkSamples(HNN(2, 2), test, seen), None, context) is None


@pytest.mark.slow
def test_the_figures_show_energies_and_portraits_of_the_truth_the_network_and_baselines(runs):
    folder, metrics = runs["hnn"]
    results = load_results(folder)
    figure = draw_hamiltonian(results)
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["true", "learned by HNN"]
    assert figure.axes[0].get_xlabel() == "$q$"
    # On average over the states of the split the energies drawn are the same.
    gap = results["hamiltonian_true"] - results["hamiltonian_learned"]
    assert np.std(gap) / np.std(results["hamiltonian_true"]) == pytest.approx(
        metrics["test"]["hamiltonian_error"]
    )
    panels = draw_portraits(results).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["true", "HNN", "linear"]
    first = results["rollout_true"][results["portrait_numbers"][0]]
    np.testing.assert_array_equal(panels[0].lines[0].get_xydata(), first)
    start, true = panels[2].lines[0].get_xydata(), panels[0].lines[0].get_xydata()
    np.testing.assert_array_equal(start[0], true[0])
    lines = {line.get_label(): line for line in draw_energy(results).axes[0].lines}
    # Persistence keeps the energy exactly, which a logarithmic axis has no place for.
    assert set(lines) == {"HNN, median", "linear", "truth, as integrated"}
    names = {path.name for path in plot(folder)}
    assert {"hamiltonian.png", "portraits.png", "energy.png"} <= names


def test_rollouts_and_energies_of_baselines_are_theirs(runs):
    """The best linear map of a linear flow is the flow, so that its rollouts are the truth's."""
    results = load_results(runs["hnn"][0])
    true = results["rollout_true"][results["portrait_numbers"]]
    np.testing.assert_allclose(results["portrait_of_linear"], true, atol=1e-10)
    energy = np.square(results["rollout_true"]).sum(-1)
    np.testing.assert_allclose(results["energy_of_linear"], energy, atol=1e-10)
    np.testing.assert_allclose(results["energy_of_persistence"], energy, atol=1e-10)


def test_without_an_energy_there_is_nothing_learned_to_draw(runs):
    folder, metrics = runs["mlp"]
    results = load_results(folder)
    assert "hamiltonian_error" not in metrics["test"]
    assert draw_hamiltonian(results) is None
    assert draw_portraits(results) is not None


def test_a_study_puts_truth_and_networks_side_by_side(runs):
    judged = [JudgedRun("spring", name, 0, load_results(folder)) for name, (folder, _) in runs.items()]
    figure = draw_energies([*judged, *judged])
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes]
    assert titles == ["spring", "hnn", "mlp", "error of the energy"]
    # Lines of equal energy where it is known.
    assert [bool(axes.collections) for axes in figure.axes[:3]] == [True, True, False]
    path = judged[1].results["rollout_predicted"][judged[1].results["portrait_numbers"][0]]
    np.testing.assert_array_equal(figure.axes[2].lines[0].get_xydata(), path)
    assert draw_energies([JudgedRun("none", "m", 0, {})]) is None
