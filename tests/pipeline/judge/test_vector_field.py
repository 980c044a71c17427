"""The task vector-field: slopes that are stored or by the equations, networks that learn them, and rollouts that
integrate what was learned.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from trajstore.data import DataError, TrajectoryDataset, TrajstoreError
from trajstore.data.batches.device_dataset import ResidentDataset
from trajstore.data.tasks.registry import get_task
from trajstore.models import FieldModel
from trajstore.pipeline import check_config, evaluate, generate, load_trained, plot, roll_out, train
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.judge.field import noise_floor
from trajstore.pipeline.runs.splits import open_split

SPRING = {
    "system": {"name": "mass-spring"},
    "initial_states": {"kind": "shell", "radius": [0.2, 1.0]},
    "grid": {"duration": 3.0, "points": 16},
    "dataset": {"train": 12, "validation": 3, "test": 6, "dtype": "float64"},
    "task": {"name": "vector-field"},
    "model": {"name": "hnn", "hidden": [8, 8]},
    "training": {"steps": 150, "batch": 192, "evaluate_every": 20, "dtype": "float64", "learning_rate": 0.02},
    "refinement": {"steps": 15, "evaluate_every": 5, "samples": 192},
    "evaluation": {"rollouts": 6, "rollout_lengths": 3},
}
NOISY = {"noise": {"absolute": 0.1}, "clean": True}


def made(folder: Path, **changed) -> Path:
    generate(check_config({**SPRING, **changed}, "test"), folder, 1)
    return folder


@pytest.fixture(scope="module")
def spring(tmp_path_factory):
    return made(tmp_path_factory.mktemp("field") / "spring")


@pytest.fixture(scope="module")
def run(spring, tmp_path_factory):
    folder = tmp_path_factory.mktemp("field") / "run"
    train(check_config(SPRING, "test"), spring, folder)
    return folder


def test_samples_are_points_with_their_slopes(spring):
    dataset = open_split(spring, "train", get_task("vector-field"), dtype="float64")
    assert len(dataset) == 12 * 16
    inputs, targets = dataset[:]
    assert inputs.shape == targets.shape == (192, 1, 2)
    q, p = inputs.unbind(2)
    torch.testing.assert_close(targets, torch.stack([2 * p, -2 * q], dim=2), rtol=1e-14, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [False, True])
def test_slopes_by_the_equations_are_those_that_are_stored(normalize, tmp_path):
    system = {"name": "van-der-pol", "parameters": {"mu": {"uniform": [0.5, 2.0]}}}
    found = []
    for name, more in (("a", {}), ("b", {"derivative": True})):
        data = made(tmp_path / name, system=system, observation=NOISY | more, model={}, initial_states={})
        options = {"normalize": normalize, "parameters": ["mu"], "dtype": "float64"}
        found.append(open_split(data, "test", get_task("vector-field"), **options))
    computed, stored = found
    for index in (slice(None), [3, 40, 7]):
        for one, other in zip(computed[index], stored[index], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_network_learns_the_field_and_its_rollouts_are_integrated(run, spring):
    metrics = evaluate(run)
    test = metrics["test"]
    assert test["mse"] < 1e-4
    assert test["field_mse"] == pytest.approx(test["mse"], rel=1e-12)
    assert "noise_floor" not in test
    assert set(metrics["baselines"]) >= {"zero", "mean", "linear"}
    assert "persistence" not in metrics["baselines"], "a state is no slope"
    rollout = metrics["rollout"]
    assert rollout["tolerance"] == 1e-9
    assert rollout["duration"] == pytest.approx(9.0)
    assert rollout["vpt"] == pytest.approx(9.0)
    assert rollout["energy_mse"] < 1e-4
    plot(run)
    # By another integrator.
    _, model = load_trained(run)
    starts = np.array([[0.5, 0.1], [-0.3, 0.4]])
    found = roll_out(model, None, "vector-field", starts, window=2, lengths=20, step=0.05)
    state = torch.from_numpy(starts)
    with torch.no_grad():
        for _ in range(1000):
            slopes = []
            for part in (0.0, 0.0005, 0.0005, 0.001):
                moved = state + part * slopes[-1] if slopes else state
                slopes.append(model(moved[:, None])[:, 0])
            state = state + 0.001 / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3])
    np.testing.assert_allclose(found[:, -1], state.numpy(), atol=1e-8)
    with pytest.raises(DataError, match="give step"):
        roll_out(model, None, "vector-field", starts, window=2, lengths=3)


@pytest.mark.slow
def test_a_run_goes_on_with_the_scales_and_pairs_that_it_began_with(run, spring, tmp_path):
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["model"]["pairs"] == [[0, 1]]
    scales = TrajectoryDataset(spring, "train").store.statistics.scales
    assert config["model"]["scale"] == list(scales)
    shorter = {**SPRING, "training": {**SPRING["training"], "schedule": "constant"}, "refinement": {}}
    half = {**shorter, "training": {**shorter["training"], "steps": 70}}
    train(check_config(shorter, "test"), spring, tmp_path / "whole")
    train(check_config(half, "test"), spring, tmp_path / "parts")
    train(check_config(shorter, "test"), spring, tmp_path / "parts", resume=True)
    whole, parts = (load_trained(tmp_path / name)[1].state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert whole["energy.energy.last.weight"].dtype == torch.float64


@pytest.mark.slow
def test_random_features_learn_an_energy_in_one_step_whatever_their_batches(spring, tmp_path):
    changed = {"model": {"name": "random-features", "energy": True, "features": 150}, "refinement": {}}
    for name, batch in (("one", 192), ("two", 100)):
        config = {**SPRING, **changed, "training": {**SPRING["training"], "batch": batch}}
        train(check_config(config, "test"), spring, tmp_path / name)
        found = evaluate(tmp_path / name)
        assert found["test"]["field_mse"] < 1e-6
        assert found["test"]["hamiltonian_error"] < 1e-3
        assert found["rollout"]["energy_mse"] < 1e-6
    standing = json.loads((tmp_path / "two" / "training.json").read_text())
    assert standing["steps"] == 2, "one pass"


@pytest.mark.slow
def test_a_neural_ode_learns_the_field_from_states_and_nothing_but_whole_windows(spring, tmp_path):
    # A linear field is all that a spring has.
    own = {"model": {"name": "neural-ode", "hidden": [], "substeps": 2}, "refinement": {}}
    own["training"] = {**SPRING["training"], "learning_rate": 0.1}
    config = {**SPRING, **own, "task": {"name": "initial-value", "window": 8}}
    train(check_config(config, "test"), spring, tmp_path / "run")
    _, model = load_trained(tmp_path / "run")
    weight = model.layers[0].weight.detach()
    torch.testing.assert_close(weight, weight.new_tensor([[0, 2], [-2, 0]]), rtol=0, atol=0.01)
    assert evaluate(tmp_path / "run")["rollout"]["energy_mse"] < 1e-4
    with pytest.raises(TrajstoreError, match='neural-ode learns the task "initial-value" alone'):
        train(check_config({**config, "task": {"name": "forecast"}}, "test"), spring, tmp_path / "no")


@pytest.mark.slow
def test_noise_leaves_an_error_that_is_told_and_the_field_is_judged_without_it(tmp_path):
    data = made(tmp_path / "data", observation=NOISY, dataset={**SPRING["dataset"], "train": 200, "test": 60})
    config = {**SPRING, "model": {"name": "mlp", "hidden": [16]}, "refinement": {}}
    train(check_config({**config, "observation": NOISY}, "test"), data, tmp_path / "run")
    test = evaluate(tmp_path / "run")["test"]
    # Of a linear field, q' = 2p and p' = -2q, with noise of 0.1: at most (2 * 0.1)**2.
    assert 0.03 < test["noise_floor"] < 0.04
    assert test["mse"] > 0.9 * test["noise_floor"]
    assert test["field_mse"] < test["mse"] - 0.01


@pytest.mark.slow
def test_the_floor_of_normal_states_is_that_of_the_closed_form():
    generator = np.random.default_rng(0)
    # x ~ N(0, s^2) seen with noise n: the best slope of x' = 3x is 3 y s^2 / (s^2 + n^2).
    clean, noise = 1.5 * generator.standard_normal((24_000, 1)), 0.5
    seen = clean + noise * generator.standard_normal(clean.shape)
    expected = 9 * 1.5**2 * noise**2 / (1.5**2 + noise**2)
    rest = clean[:22_000]
    found = noise_floor(rest, 3 * rest, clean[22_000:], 3 * clean[22_000:], seen[22_000:])
    assert found == pytest.approx(expected, rel=0.08)
    few = noise_floor(rest[:100], 3 * rest[:100], clean[22_000:], 3 * clean[22_000:], seen[22_000:])
    assert few == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_the_floor_is_told_only_of_functions_of_noisy_states_alone(tmp_path):
    system = {"name": "van-der-pol", "parameters": {"mu": {"uniform": [0.1, 3.0]}}}
    own = {"system": system, "initial_states": {}, "observation": NOISY, "refinement": {}}
    data = made(tmp_path / "data", **own)
    training = {**SPRING["training"], "steps": 2}
    for number, (told, has_floor) in enumerate(
        (({}, True), ({"parameters": ["mu"]}, False), ({"target": "clean"}, False))
    ):
        task = {"name": "vector-field", **told}
        config = {**SPRING, **own, "model": {"name": "mlp"}, "training": training, "task": task}
        run = tmp_path / f"run{number}"
        train(check_config(config, "test"), data, run)
        test = evaluate(run)["test"]
        assert "field_mse" in test
        assert ("noise_floor" in test) == has_floor, told


@pytest.mark.slow
def test_slopes_come_from_one_state_also_in_windows(spring, tmp_path):
    task = {"name": "vector-field", "window": 5}
    refused = check_config({**SPRING, "refinement": {}, "task": task, "model": {"name": "lstm"}}, "test")
    with pytest.raises(TrajstoreError, match=r"task.window: got 5.*lstm may remember"):
        train(refused, spring, tmp_path / "lstm")
    config = {**SPRING, "refinement": {}, "task": task, "training": {**SPRING["training"], "steps": 2}}
    train(check_config(config, "test"), spring, tmp_path / "run")
    baselines = evaluate(tmp_path / "run")["baselines"]
    # The field is linear: whoever is shown each state has it exactly.
    assert max(baselines["linear"]["mse_by_time"]) < 1e-12


def call(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


OWN = """
[system]
name = "own"
equations = {{ x = "v", v = "-x{more}" }}
initial_state = {{ x = [-1.0, 1.0], v = [-1.0, 1.0] }}
{rest}
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 4
validation = 2
test = 2
[task]
name = "vector-field"
[model]
name = "mlp"
[training]
steps = 2
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "rest", "said"),
    [
        (" + cos(t)", "", "depend on t"),
        ("", '[observation]\ncomponents = ["x"]', "'v', on which it depends, is not"),
        ("", "[observation]\nnoise = { absolute = 0.1 }", "observation.derivative = true"),
        (" - delayed(x, 1)", "", "look back"),
    ],
)
def test_where_there_is_no_field_it_is_told_why(more, rest, said, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text(OWN.format(more=more, rest=rest))
    made_it = call("generate", config, "--out", tmp_path / "data")
    assert made_it.exit_code == 0, made_it.output
    result = call("train", config, "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_measured_data_without_slopes_are_refused(tmp_path):

    lines = ["trajectory,time,q,p"] + [f"{row},{t / 10},{t},{row}" for row in range(6) for t in range(5)]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    result = call("import", tmp_path / "m.csv", "--out", tmp_path / "data")
    assert result.exit_code == 0, result.output
    config = tmp_path / "c.toml"
    config.write_text('[task]\nname = "vector-field"\n[model]\nname = "mlp"\n')
    result = call("train", config, "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert (
        "nobody knows their equations; import it, too, with --derivatives, or take another task"
        in " ".join(result.output.split())
    )


def test_models_of_fields_learn_nothing_else_and_hamiltonian_ones_need_a_canonical_system(tmp_path):
    data = made(tmp_path / "vdp", system={"name": "van-der-pol"}, initial_states={}, model={})
    for changed, said in (
        ({"task": {"name": "forecast"}}, "learns slopes"),
        ({}, "states no energy"),
        ({"model": {"name": "hnn", "pairs": [["x1", "x3"]]}}, "no component 'x3'"),
    ):
        config = check_config(
            {**SPRING, "system": {"name": "van-der-pol"}, "initial_states": {}, **changed}, "test"
        )
        with pytest.raises(TrajstoreError, match=said):
            train(config, data, tmp_path / "run")


class Exact(FieldModel):
    """q' = 2p, p' = -2q."""

    input_size = output_size = 2

    def field(self, states, parameters):
        return torch.stack([2 * states[..., 1], -2 * states[..., 0]], dim=-1)


def test_an_exact_field_rolls_out_exactly():
    starts = np.array([[1.0, 0.0], [0.0, -0.5]])
    found = roll_out(Exact(), None, "vector-field", starts, window=2, lengths=50, step=0.1)
    angle = 0.2 * np.arange(51)
    for row, (q, p) in enumerate(starts):
        np.testing.assert_allclose(found[row, :, 0], q * np.cos(angle) + p * np.sin(angle), atol=3e-7)


@pytest.mark.slow
def test_points_beyond_the_largest_slope_are_left_out_and_counted(spring, tmp_path):
    whole = open_split(spring, "train", get_task("vector-field"), dtype="float64")
    task = get_task("vector-field", largest_derivative=1.2)
    part = open_split(spring, "train", task, dtype="float64")
    slopes = whole[:][1]
    kept = torch.nonzero(slopes.abs().amax(dim=(1, 2)) <= 1.2)[:, 0]
    assert 0 < len(kept) < len(whole)
    assert (len(part), part.left_out) == (len(kept), len(whole) - len(kept))
    for values in zip(part[:], whole[kept], strict=True):
        assert torch.equal(*values)
    assert torch.equal(part.states(slice(None)), whole.states(kept))
    resident = ResidentDataset(part, "cpu")
    assert len(resident) == len(kept)
    for values in zip(resident[torch.arange(len(kept))], part[:], strict=True):
        assert torch.equal(*values)
    rows, begins = part.places(np.arange(len(part)))
    assert np.array_equal(rows * 16 + begins, kept.numpy())
    with pytest.raises(DataError, match="no sample of train is within"):
        open_split(spring, "train", get_task("vector-field", largest_derivative=1e-9))
    config = check_config({**SPRING, "task": {"name": "vector-field", "largest_derivative": 1.2}}, "test")
    train(config, spring, tmp_path / "run")
    test = evaluate(tmp_path / "run")["test"]
    assert 0 < test["left_out_share"] < 1


def test_a_shuffle_in_blocks_is_refused_before_there_is_a_folder(spring, tmp_path):
    config = check_config({**SPRING, "training": {**SPRING["training"], "shuffle": "block"}}, "test")
    with pytest.raises(TrajstoreError, match='"block" reads no derivative'):
        train(config, spring, tmp_path / "run")
    assert not (tmp_path / "run").exists()
