"""Parameters by row: as drawn as they say they are, the same for any shards, and true in the dataset."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from trajstore.data import TrajstoreError, verify
from trajstore.pipeline import ConfigError, generate, reintegrate
from trajstore.pipeline.dynamics.parameters import Draw, parameter_rows

DRAWS = [
    Draw(uniform=[-1.0, 3.0]),
    2.5,
    Draw(values=[1.0, 7.0]),
    Draw(log_uniform=[0.01, 100.0]),
    Draw(grid=(0.0, 1.0, 3)),
]


def test_drawn_values_have_the_distribution_that_they_state():
    rows = parameter_rows(DRAWS, 0, "train", 0, 20_000)
    assert kstest((rows[:, 0] + 1) / 4, "uniform").pvalue > 0.01
    assert kstest((np.log10(rows[:, 3]) + 2) / 4, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(rows[:, 0], np.log(rows[:, 3]))[0, 1]) < 0.03
    assert (rows[:, 1] == 2.5).all()


def test_lists_and_grids_are_gone_through_in_all_combinations():
    rows = parameter_rows(DRAWS, 0, "test", 0, 13)[:, [2, 4]]
    cycle = [[value, place] for value in (1.0, 7.0) for place in (0.0, 0.5, 1.0)]
    assert rows.tolist() == [*cycle, *cycle, cycle[0]]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 2**63 - 1), st.sampled_from(["train", "test"]))
def test_a_row_does_not_depend_on_how_rows_are_cut(start, length, seed, split):
    whole = parameter_rows(DRAWS, seed, split, 0, 100)
    np.testing.assert_array_equal(
        parameter_rows(DRAWS, seed, split, start, start + length), whole[start : start + length]
    )


def test_splits_and_seeds_draw_values_of_their_own():
    drawn = [parameter_rows(DRAWS[:1], seed, split, 0, 50) for seed in (0, 1) for split in ("train", "test")]
    assert len(np.unique(drawn)) == 200


@pytest.mark.slow
def test_each_row_is_integrated_with_its_own_parameters(experiment, tmp_path):
    system = {"name": "van-der-pol", "parameters": {"mu": {"log_uniform": [0.1, 4.0]}}}
    config = experiment(system=system)
    manifests = [generate(config, tmp_path / str(jobs), jobs=jobs).manifest for jobs in (1, 2)]
    assert manifests[0] == manifests[1]
    assert manifests[0].system["parameters"]["mu"]["draw"] == {"log_uniform": [0.1, 4.0]}
    assert verify(tmp_path / "1") == []
    assert reintegrate(tmp_path / "1", 100).problems == []
    with h5py.File(tmp_path / "1/train-00000.h5") as file:
        mu = file["mu"][()]
    assert len(np.unique(mu)) == 32
    assert 0.1 <= mu.min() < 0.5 < 2 < mu.max() <= 4.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"uniform": [3.0, 1.0]}, "mu: uniform [3.0, 1.0]: expected low <= high"),
        ({"uniform": [1.0]}, "mu.uniform"),
        ({"uniform": [float("nan"), 1.0]}, "mu.uniform"),
        ({"log_uniform": [0.0, 1.0]}, "above 0"),
        ({"values": []}, "mu.values"),
        ({"grid": [0.0, 1.0, 1]}, "mu.grid"),
        ({"grid": [0.0, 1.0]}, "mu.grid"),
        ({"uniform": [0.0, 1.0], "values": [1.0]}, "got uniform, values"),
        ({}, "got none"),
        ({"normal": [0.0, 1.0]}, "mu.normal: unknown key"),
        ("much", "mu: got 'much', expected a valid number"),
    ],
)
def test_what_is_no_draw_is_an_error_that_names_the_key(experiment, value, message):
    with pytest.raises(ConfigError) as caught:
        experiment(system={"name": "van-der-pol", "parameters": {"mu": value}})
    assert message in str(caught.value)


@pytest.mark.slow
def test_rows_drawn_in_another_order_are_those_of_another_dataset(experiment, tmp_path):
    """The order in which parameters are declared decides what rows draw, and is not in the hash of a config."""

    def declared(names, rows):
        system = {
            "name": "spring",
            "equations": {"x": "b*v", "v": "-a*x"},
            "parameters": {name: {"uniform": [1.0, 2.0]} for name in names},
            "initial_state": {"x": [0.0, 1.0], "v": [0.0, 1.0]},
        }
        return experiment(system=system, dataset={"train": rows, "validation": 0, "test": 0, "shard_rows": 4})

    generate(declared("ab", 4), tmp_path / "dataset", jobs=1)
    before = (tmp_path / "dataset" / "train-00000.h5").read_bytes()
    with pytest.raises(TrajstoreError, match="declared in another order than here: b, a"):
        generate(declared("ba", 8), tmp_path / "dataset", jobs=1)
    assert (tmp_path / "dataset" / "train-00000.h5").read_bytes() == before
    assert generate(declared("ab", 8), tmp_path / "dataset", jobs=1).reused == 1
    other = generate(declared("ba", 8), tmp_path / "dataset", jobs=1, overwrite=True)
    assert other.manifest.id == generate(declared("ba", 8), tmp_path / "other", jobs=1).manifest.id
