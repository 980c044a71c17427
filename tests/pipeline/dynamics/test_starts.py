"""Initial states have the distribution that the config names, whatever the shards."""

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import kstest
from trajstore.data import TrajstoreError, load_manifest, verify
from trajstore.data.base.hashing import json_hash
from trajstore.pipeline import InitialStates, generate, get_system, reintegrate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.describe.description import Description

VAN_DER_POL, LORENZ = get_system("van-der-pol"), get_system("lorenz")
KINDS = [
    InitialStates(),
    InitialStates(kind="normal", std={"x1": 0.1}),
    InitialStates(kind="shell", radius=[0.1, 1.0]),
    InitialStates(kind="attractor", transient=5.0),
]


def rows(initial: InitialStates, system=VAN_DER_POL, count=5000, split="train") -> np.ndarray:
    return initial.rows(system, 0, split, 0, count)


@pytest.mark.parametrize("initial", KINDS, ids=lambda initial: initial.kind)
def test_a_row_does_not_depend_on_how_rows_are_cut(initial):
    whole = rows(initial, count=40)
    np.testing.assert_array_equal(initial.rows(VAN_DER_POL, 0, "train", 13, 29), whole[13:29])
    assert not np.isin(rows(initial, split="test", count=40), whole).any()


def test_a_cloud_is_normal_around_its_mean():
    states = rows(InitialStates(kind="normal", mean={"y": 2.0}, std={"y": 0.5, "z": 0.0}), LORENZ)
    assert kstest((states[:, 1] - 2) / 0.5, "norm").pvalue > 0.01
    # The rest is the box's: its middle and half its width.
    assert kstest(states[:, 0] / 20, "norm").pvalue > 0.01
    assert (states[:, 2] == 22.5).all()
    assert np.abs(np.corrcoef(states[:, :2].T)[0, 1]) < 0.05


@pytest.mark.parametrize("uniform", [None, "radius", "volume"])
@pytest.mark.parametrize("system", [VAN_DER_POL, LORENZ], ids=["plane", "space"])
def test_a_shell_has_random_directions_and_the_radii_that_it_states(uniform, system):
    size = len(system.states)
    initial = InitialStates(
        kind="shell", radius=[0.5, 2.0], uniform=uniform, mean=dict.fromkeys(system.states, 3.0)
    )
    states = rows(initial, system) - 3.0
    radius = np.linalg.norm(states, axis=1)
    power = size if uniform == "volume" else 1
    assert kstest((radius**power - 0.5**power) / (2.0**power - 0.5**power), "uniform").pvalue > 0.01
    if size == 2:
        assert kstest(np.arctan2(states[:, 1], states[:, 0]) / (2 * np.pi) + 0.5, "uniform").pvalue > 0.01
    else:
        # Archimedes: heights on a sphere are uniform.
        assert kstest(states[:, 2] / radius / 2 + 0.5, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("rotation", "sign"), [(None, -1.0), ("clockwise", -1.0), ("counterclockwise", 1.0)])
def test_two_bodies_turn_as_they_are_told(rotation, sign):
    system = get_system("two-body")
    told = {} if rotation is None else {"rotation": rotation}
    states = rows(InitialStates(kind="two-body", **told), system, 50)
    x, y, vx, vy = states.reshape(-1, 4, 2).transpose(1, 0, 2)
    assert (np.sign(x * vy - y * vx) == sign).all()
    np.testing.assert_array_equal(np.abs(states), np.abs(rows(InitialStates(kind="two-body"), system, 50)))
    with pytest.raises(ValueError, match='kind "three-body" has no rotation'):
        InitialStates(kind="three-body", rotation="clockwise")


@pytest.mark.parametrize(("name", "bodies"), [("two-body", 2), ("three-body", 3)])
def test_orbits_are_almost_circular_around_a_common_centre(name, bodies):
    system = get_system(name)
    states = rows(InitialStates(kind=name), system, 4000).reshape(-1, 4, bodies)
    place, speed = states[:, :2], states[:, 2:]
    np.testing.assert_allclose(place.sum(axis=2), 0, atol=1e-12)
    radius = np.linalg.norm(place, axis=1)
    np.testing.assert_allclose(radius, radius[:, :1] * np.ones(bodies), rtol=1e-12)
    field = system.function(list(system.vector_field), "numpy")
    slopes = np.array(field(0.0, states.reshape(-1, 4 * bodies).T, ())).T.reshape(-1, 4, bodies)
    pull = np.linalg.norm(slopes[:, 2:], axis=1)
    if bodies == 2:
        assert (place > 0)[:, :, 0].all()
        assert kstest(place[:, 0, 0] - 0.5, "uniform").pvalue > 0.01
        np.testing.assert_allclose((place * speed).sum(axis=1), 0, atol=1e-12)
        # On a circle v^2 = r a; the speed is off by 5 %.
        off = np.linalg.norm(speed, axis=1)[:, 0] / np.sqrt(radius * pull)[:, 0]
        assert kstest((off - 1) / 0.05, "norm").pvalue > 0.01
    else:
        assert kstest((radius[:, 0] - 0.9) / 0.3, "uniform").pvalue > 0.01
        circular = (
            np.sqrt(radius * pull)[:, None] * np.stack([-place[:, 1], place[:, 0]], axis=1) / radius[:, None]
        )
        for number in range(bodies):
            assert kstest((speed / circular)[:, 0, number] / 0.4 - 2, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_starts_on_the_attractor_lie_on_it(experiment, tmp_path):
    config = experiment(
        initial_states={"kind": "attractor", "transient": 200.0}, dataset={"dtype": "float64", "seed": 4}
    )
    generate(config, tmp_path / "dataset", jobs=1)
    assert verify(tmp_path / "dataset") == []
    assert reintegrate(tmp_path / "dataset", 20).problems == []
    with h5py.File(tmp_path / "dataset/train-00000.h5") as file:
        starts = file["initial_state"][()]
    # The limit cycle of mu = 0.1 is a circle of radius 2, but for 2.5 %.
    radius = np.linalg.norm(starts, axis=1)
    assert radius.min() > 1.9
    assert radius.max() < 2.1
    assert np.ptp(np.arctan2(starts[:, 1], starts[:, 0])) > 4


def test_a_transient_ends_at_time_zero(experiment, tmp_path):
    system = {"name": "clock", "equations": {"x": "t"}, "parameters": {}, "initial_state": {"x": [0.0, 0.0]}}
    config = experiment(system=system, initial_states={"kind": "attractor", "transient": 3.0})
    generate(config, tmp_path / "dataset", jobs=1)
    with h5py.File(tmp_path / "dataset/train-00000.h5") as file:
        np.testing.assert_allclose(file["initial_state"], -4.5, rtol=1e-12)


def test_a_transient_in_periods_makes_the_same_dataset(experiment):
    system = {"name": "clock", "equations": {"x": "t"}, "parameters": {}, "initial_state": {"x": [0.0, 0.0]}}
    made = {
        json_hash(experiment(system={**system, "period": 1.5}, initial_states=starts).generation())
        for starts in (
            {"kind": "attractor", "transient": 3.0},
            {"kind": "attractor", "transient": {"periods": 2.0}},
        )
    }
    assert len(made) == 1
    with pytest.raises(TrajstoreError, match="transient: is in periods, and the system has none"):
        experiment(system=system, initial_states={"kind": "attractor", "transient": {"periods": 2.0}})


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_rows_of_a_file_go_to_train_then_validation_then_test(experiment, tmp_path, suffix):
    table = np.random.default_rng(0).standard_normal((120, 2))
    path = tmp_path / f"starts.{suffix}"
    if suffix == "npy":
        np.save(path, table)
    else:
        np.savetxt(path, table, delimiter=",", header="x1,x2", comments="")
    config = experiment(initial_states={"kind": "file", "path": str(path)})
    manifest = generate(config, tmp_path / "dataset", jobs=1).manifest
    found = []
    for name in ("train-00000", "train-00001", "train-00002", "validation-00000", "test-00000"):
        with h5py.File(tmp_path / f"dataset/{name}.h5") as file:
            found.append(file["initial_state"][()])
    np.testing.assert_array_equal(np.concatenate(found), table[:100])
    kept = manifest.config["initial_states"]
    assert kept["path"] == path.name
    # Another file is another dataset, wherever it lies.
    np.save(tmp_path / "starts2.npy", table + 1)
    other = experiment(initial_states={"kind": "file", "path": str(tmp_path / "starts2.npy")})
    assert other.recipe()["initial_states"]["sha256"] != kept["sha256"]


@pytest.mark.slow
def test_more_rows_of_a_split_are_another_dataset_where_they_shift_the_rows_of_a_file(experiment, tmp_path):
    np.save(tmp_path / "starts.npy", np.random.default_rng(0).standard_normal((200, 2)))
    initial = {"kind": "file", "path": str(tmp_path / "starts.npy")}
    generate(experiment(initial_states=initial), tmp_path / "dataset", jobs=1)
    with pytest.raises(TrajstoreError, match="another config"):
        generate(experiment(initial_states=initial, dataset={"train": 80}), tmp_path / "dataset", jobs=1)
    # The last split may grow.
    generate(experiment(initial_states=initial, dataset={"test": 15}), tmp_path / "dataset", jobs=1)
    assert verify(tmp_path / "dataset") == []


@pytest.mark.parametrize("header", ["x2,x1", "0.1,0.2", "x1"])
def test_the_columns_of_a_csv_file_must_be_the_states(experiment, tmp_path, header):
    np.savetxt(tmp_path / "starts.csv", np.zeros((100, 2)), delimiter=",", header=header, comments="")
    with pytest.raises(TrajstoreError, match=r"expected x1,x2: the names of the states"):
        experiment(initial_states={"kind": "file", "path": str(tmp_path / "starts.csv")})


def test_a_file_can_be_held_to_its_hash(experiment, tmp_path):
    np.save(tmp_path / "starts.npy", np.zeros((100, 2)))
    section = {"kind": "file", "path": str(tmp_path / "starts.npy")}
    right = experiment(initial_states=section).recipe()["initial_states"]["sha256"]
    experiment(initial_states={**section, "sha256": right})
    with pytest.raises(TrajstoreError, match="is it the right file"):
        experiment(initial_states={**section, "sha256": "0" * 64})


def test_the_box_changes_no_hash(experiment):
    assert experiment().recipe() == experiment(initial_states={"kind": "box"}).recipe()
    assert "initial_states" not in experiment().recipe()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "cloud"}, "initial_states.kind"),
        ({"kind": "shell"}, 'kind "shell" needs radius'),
        ({"kind": "shell", "radius": [2.0, 1.0]}, "0 <= low <= high"),
        ({"kind": "box", "mean": {"x1": 0.0}}, 'kind "box" has no mean'),
        ({"kind": "normal", "mean": {"y": 0.0}}, "mean.y: no such state; there are x1, x2"),
        ({"kind": "normal", "std": {"x1": -1.0}}, "below 0"),
        ({"kind": "attractor"}, "needs transient"),
        ({"kind": "attractor", "transient": -1.0}, "initial_states.transient"),
        ({"kind": "file", "path": "nowhere.npy"}, "cannot be read"),
        ({"kind": "two-body"}, "for the system of that name, not van-der-pol"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_key(experiment, section, message):
    with pytest.raises(TrajstoreError) as caught:
        experiment(initial_states=section)
    assert message in str(caught.value)


def test_a_file_with_too_few_rows_or_columns_is_an_error(experiment, tmp_path):
    for shape in ((99, 2), (100, 3)):
        np.save(tmp_path / "starts.npy", np.zeros(shape))
        with pytest.raises(TrajstoreError, match=r"expected \(100 or more, 2\)"):
            experiment(initial_states={"kind": "file", "path": str(tmp_path / "starts.npy")})
    np.save(tmp_path / "starts.npy", np.full((100, 2), np.nan))
    with pytest.raises(TrajstoreError, match="finite"):
        experiment(initial_states={"kind": "file", "path": str(tmp_path / "starts.npy")})


def test_info_and_card_say_how_rows_were_drawn(experiment, tmp_path):
    system = {"name": "van-der-pol", "parameters": {"mu": {"log_uniform": [0.1, 4.0]}}}
    section = {"kind": "shell", "radius": [1.0, 2.0]}
    folder = tmp_path / "dataset"
    generate(experiment(system=system, initial_states=section), folder, jobs=1)
    description = Description(load_manifest(folder))
    assert description.starts == "shell, radius = [1.0, 2.0]"
    assert description.parameters[0].value == "one a row: log_uniform [0.1, 4.0]"
    for text in ((folder / "README.md").read_text(), CliRunner().invoke(main, ["info", str(folder)]).stdout):
        assert "shell, radius = [1.0, 2.0]" in text
        assert "uniformly from this box" not in text
