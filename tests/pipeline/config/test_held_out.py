"""Values of parameters that are held out of a split: [system.parameters_by_split]."""

import json
import tomllib

import numpy as np
import pytest
from trajstore.data import examine, load_manifest, read_shard
from trajstore.data.base.hashing import json_hash
from trajstore.pipeline import (
    ConfigError,
    Selection,
    System,
    check_config,
    generate,
    merge,
    reintegrate,
    select,
    train,
)
from trajstore.pipeline.describe.description import Description
from trajstore.pipeline.draw.style import parameters_label

CONFIG = """
[system]
name = "decay"
equations = { x = "-k*x + c" }
parameters = { k = { values = [1.0, 2.0, 3.0] }, c = 0.5 }
initial_state = { x = [1.0, 1.0] }
[system.parameters_by_split.validation]
k = 1.5
[system.parameters_by_split.test]
k = { uniform = [5.0, 6.0] }
c = { grid = [0.0, 1.0, 3] }
[grid]
duration = 1.0
points = 5
[dataset]
train = 7
validation = 2
test = 4
shard_rows = 4
dtype = "float64"
"""


def config(**system):
    raw = tomllib.loads(CONFIG)
    raw["system"] = {**raw["system"], **system}
    return raw


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held") / "dataset"
    generate(check_config(config(), "test"), folder, jobs=1)
    return folder


def values(folder, split, name):
    return np.concatenate(
        [read_shard(path).parameters[name] for path in sorted(folder.glob(f"{split}-*.h5"))]
    )


def test_each_split_has_its_own_values(held):
    assert values(held, "train", "k").tolist() == [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]
    assert values(held, "validation", "k").tolist() == [1.5, 1.5]
    drawn = values(held, "test", "k")
    assert len(set(drawn)) == 4
    assert ((drawn >= 5.0) & (drawn < 6.0)).all()
    assert values(held, "test", "c").tolist() == [0.0, 0.5, 1.0, 0.0]
    assert set(values(held, "train", "c")) == set(values(held, "validation", "c")) == {0.5}
    # x' = -k x + c from 1.
    shard = read_shard(held / "test-00000.h5")
    k, c = (shard.parameters[name][:, None] for name in ("k", "c"))
    np.testing.assert_allclose(shard.state[..., 0], c / k + (1 - c / k) * np.exp(-k * shard.time), rtol=1e-14)


@pytest.mark.slow
def test_it_is_sound_and_integrated_again_and_shares_no_rows(held):
    found = examine(held)
    assert (found.problems, found.notes) == ([], [])
    assert reintegrate(held, 13).problems == []


def test_each_shard_says_it_by_itself(held):
    expected = {
        "k": {
            "draw": {"values": [1.0, 2.0, 3.0]},
            "by_split": {"validation": {"values": [1.5]}, "test": {"uniform": [5.0, 6.0]}},
        },
        "c": {"draw": {"values": [0.5]}, "by_split": {"test": {"grid": [0.0, 1.0, 3]}}},
    }
    for path in held.glob("*.h5"):
        described = json.loads(str(read_shard(path).attributes["system"]))
        for name, said in expected.items():
            assert described["parameters"][name] == {"unit": "1", "meaning": "", **said}
        assert System.from_dict(described).to_dict() == described


def test_card_and_figures_tell_of_it(held):
    manifest = load_manifest(held)
    c, k = Description(manifest).parameters
    assert (
        k.value == "one a row: values [1.0, 2.0, 3.0]; in test uniform [5.0, 6.0]; in validation values [1.5]"
    )
    assert c.value == "one a row: values [0.5]; in test grid [0.0, 1.0, 3]"
    assert "held out" in (held / "README.md").read_text()
    assert parameters_label(manifest.system["parameters"]) == (
        "$c$ = 0.5 (test in [0, 1]), $k$ in {1, 2, 3} (test in [5, 6], validation = 1.5)"
    )


def test_where_it_is_not_asked_for_nothing_changes():
    plain, empty = config(), config(parameters_by_split={"test": {}})
    del plain["system"]["parameters_by_split"]
    recipes = [check_config(raw, "test").recipe() for raw in (plain, empty)]
    assert recipes[0] == recipes[1]
    assert "by_split" not in json.dumps(recipes[0])
    # Frozen: the identity of the config before there was such a section.
    assert json_hash(recipes[0]["system"]) == FROZEN


@pytest.mark.slow
def test_what_is_cut_and_joined_keeps_the_values_of_its_rows(held, tmp_path):
    select(held, tmp_path / "cut", Selection(rows=(0, 3)))
    assert values(tmp_path / "cut", "test", "c").tolist() == [0.0, 0.5, 1.0]
    assert reintegrate(tmp_path / "cut", 20).problems == []
    for seed in (0, 1):
        raw = config(initial_state={"x": [0.5, 1.5]})
        raw["dataset"]["seed"] = seed
        generate(check_config(raw, "test"), tmp_path / str(seed), jobs=1)
    both = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "both")
    assert both.system["parameters"] == load_manifest(held).system["parameters"]
    assert values(tmp_path / "both", "validation", "k").tolist() == [1.5] * 4
    assert reintegrate(tmp_path / "both", 40).problems == []
    assert examine(tmp_path / "both").notes == []


def test_a_network_is_told_the_values_of_its_split(held, tmp_path):
    raw = config()
    raw |= {
        "task": {"parameters": ["k", "c"]},
        "model": {"hidden": 4},
        "training": {"steps": 2, "evaluate_every": 1, "batch": 4},
    }
    assert train(check_config(raw, "test"), held, tmp_path / "run")


def test_a_system_of_the_library_can_hold_out_what_it_has_by_default():
    raw = config()
    raw["system"] = {"name": "van-der-pol", "parameters_by_split": {"test": {"mu": 3.0}}}
    made = check_config(raw, "test")
    assert made.parameter_rows("train", 0, 2).tolist() == [[0.1], [0.1]]
    assert made.parameter_rows("test", 0, 2).tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"tests": {"k": 1.0}},
            r"parameters_by_split\.tests: got 'tests', expected 'train', 'validation' or 'test'",
        ),
        (
            {"test": {"q": 1.0}},
            r"parameters_by_split\.test\.q: this system has no parameter 'q'; it has k, c",
        ),
        (
            {"test": {"x": 1.0}},
            r"parameters_by_split\.test\.x: is a state, not a parameter; expected one of k, c",
        ),
        (
            {"test": {"k": {"valus": [1.0]}}},
            r"parameters_by_split\.test\.k\.valus: unknown key; known here are unif",
        ),
        (
            {"test": {"k": {"uniform": [2.0, 1.0]}}},
            r"parameters_by_split\.test\.k: uniform \[2\.0, 1\.0\]: expected",
        ),
    ],
)
def test_what_does_not_fit_is_named(section, message):
    with pytest.raises(ConfigError, match=message):
        check_config(config(parameters_by_split=section), "test")


FROZEN = "3b72f854554f73c364b00113c53eb9d00e038fce1624c7f90be2eb0cd0b3e23f"
