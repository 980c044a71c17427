"""Initial states: row i is a function of (seed, split, i), and nothing else."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from trajstore.data import read_shard, verify
from trajstore.data.shard.schema import SPLITS
from trajstore.pipeline import InitialStates, System, generate, reintegrate
from trajstore.pipeline.dynamics import random_rows as sampling
from trajstore.pipeline.dynamics.engines.base.engine import REVISION
from trajstore.pipeline.dynamics.random_rows import (
    INITIAL_STATES,
    NOISE,
    PARAMETERS,
    TANGENTS,
    stream_key,
    uniform_rows,
)

DIMENSION = st.integers(1, 9)
STREAMS = (INITIAL_STATES, PARAMETERS, NOISE, TANGENTS)
SMALL = st.integers(0, 5)
# Those that may meet: small numbers in each of the two words, and ends of their ranges.
SEEDS = (
    st.builds(lambda low, high: low + 2**32 * high, SMALL, SMALL)
    | st.integers(0, 2**63 - 1)
    | st.sampled_from([2**32 - 1, 2**32, 2**33, 2**62, 2**63 - 2**32, 2**63 - 1])
)


def initial_states(box, seed, split, start, stop) -> np.ndarray:
    """Rows as a dataset of a system with this box begins them."""
    boxes = {f"x{index}": limits for index, limits in enumerate(box)}
    system = System("test", dict.fromkeys(boxes, "0"), {}, boxes)
    return InitialStates().rows(system, seed, split, start, stop)


def box(dimension: int) -> list[tuple[float, float]]:
    return [(-5.0 - index, 5.0) for index in range(dimension)]


@given(dimension=DIMENSION, rows=st.integers(1, 200), seed=st.integers(0, 2**63 - 1))
def test_twice_as_many_rows_begin_with_the_rows(dimension, rows, seed):
    few = initial_states(box(dimension), seed, "train", 0, rows)
    many = initial_states(box(dimension), seed, "train", 0, 2 * rows)
    np.testing.assert_array_equal(many[:rows], few, strict=True)


@pytest.mark.slow
@given(dimension=DIMENSION, cuts=st.lists(st.integers(0, 120), max_size=6), seed=st.integers(0, 2**63 - 1))
def test_rows_do_not_depend_on_how_they_are_cut_into_shards(dimension, cuts, seed):
    whole = initial_states(box(dimension), seed, "test", 0, 120)
    bounds = [0, *sorted(cuts), 120]
    parts = [initial_states(box(dimension), seed, "test", first, last) for first, last in pairwise(bounds)]
    np.testing.assert_array_equal(np.concatenate(parts), whole, strict=True)


def test_a_row_far_away_costs_no_more_than_the_first(time_limit):
    with time_limit(5):
        far = initial_states(box(2), 0, "train", 10**15, 10**15 + 4)
    assert np.isfinite(far).all()
    assert len(np.unique(far)) == 8


def test_seeds_splits_streams_and_components_are_independent():
    columns = [
        uniform_rows(seed, split, stream, 0, 4000, 3)
        for seed in (0, 1, 2**62)
        for split in SPLITS
        for stream in (0, 1)
    ]
    numbers = np.concatenate(columns, axis=1)
    assert len(np.unique(numbers)) == numbers.size
    correlation = np.corrcoef(numbers.T) - np.eye(numbers.shape[1])
    # 1431 pairs of 4000 numbers: sigma is 1/sqrt(4000) = 0.0158.
    assert np.abs(correlation).max() < 5 * 0.0158


def format_md(seed: int, split: int, stream: int, start: int, stop: int, columns: int) -> np.ndarray:
    """The numbers of rows as docs/format.md says."""
    words = [seed, split, stream]
    if seed >= 2**32:
        words = [seed % 2**32, seed // 2**32, split, stream, 1]
    key = np.random.SeedSequence(words).generate_state(2, np.uint64)
    counts = -(-columns // 4)
    drawn = np.random.Generator(np.random.Philox(key=key)).random(stop * counts * 4)
    return drawn.reshape(stop, counts * 4)[start:, :columns]


@given(seed=SEEDS, split=st.sampled_from(range(3)), stream=st.sampled_from(STREAMS), columns=DIMENSION)
def test_numbers_are_those_of_the_specification(seed, split, stream, columns):
    ours = uniform_rows(seed, SPLITS[split], stream, 3, 9, columns)
    np.testing.assert_array_equal(ours, format_md(seed, split, stream, 3, 9, columns), strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("names", ["abcd", "dcba", "bdac", "dbca"])
def test_parameters_are_drawn_in_the_order_in_which_the_config_declares_them(experiment, tmp_path, names):
    """As docs/format.md says; what is stored is sorted."""
    draws = {
        "a": {"uniform": [1.0, 3.0]},
        "b": {"values": [0.25, 0.5, 0.75]},
        "c": {"log_uniform": [0.1, 10.0]},
        "d": {"grid": [0.0, 1.0, 2]},
    }
    system = {
        "name": "s",
        "equations": {"x": "-(a + b + c + d)*x"},
        "parameters": {name: draws[name] for name in names},
        "initial_state": {"x": [0.5, 1.0]},
    }
    sizes = {"train": 7, "validation": 0, "test": 0, "seed": 5}
    generate(
        experiment(system=system, grid={"duration": 1.0, "points": 2}, dataset=sizes), tmp_path / "d", jobs=1
    )
    shard = read_shard(tmp_path / "d" / "train-00000.h5")
    assert list(json.loads(shard.attributes["system"])["parameters"]) == sorted(names)
    drawn = dict(zip(names, format_md(5, 0, 1, 0, 7, 4).T, strict=True))
    np.testing.assert_allclose(shard.parameters["a"], 1.0 + 2.0 * drawn["a"], rtol=1e-15)
    np.testing.assert_allclose(shard.parameters["c"], 0.1 * 100.0 ** drawn["c"], rtol=1e-14)
    for row in range(7):
        turn = row % 6
        b, d = (turn % 3, turn // 3) if names.index("b") > names.index("d") else (turn // 2, turn % 2)
        assert (shard.parameters["b"][row], shard.parameters["d"][row]) == (0.25 * (b + 1), float(d))


def keys(seeds, revision=REVISION) -> list[bytes]:
    return [
        stream_key(seed, split, stream, revision).tobytes()
        for seed in seeds
        for split in SPLITS
        for stream in STREAMS
    ]


@given(seeds=st.sets(SEEDS, min_size=1, max_size=30))
def test_no_two_seeds_splits_and_streams_share_a_key(seeds):
    assert len(set(keys(seeds))) == len(seeds) * len(SPLITS) * len(STREAMS)


def test_no_seeds_of_small_words_share_a_key():
    # All that differ by words which may be taken for a split or a stream, and their neighbours.
    seeds = [low + 2**32 * high for low in range(24) for high in (*range(24), 2**31 - 1)]
    assert len(set(keys(seeds))) == len(seeds) * len(SPLITS) * len(STREAMS)


def test_seeds_met_before_revision_1_and_small_ones_keep_their_keys():
    # So its rows are drawn again as they were.
    train, validation = (uniform_rows(*which, 0, 0, 5, 2, revision=0) for which in WHO_MET)
    np.testing.assert_array_equal(train, validation)
    small = [0, 1, 2**31, 2**32 - 1]
    assert keys(small) == keys(small, revision=0)


WHO_MET = ((7 + 2**32, "train"), (7, "validation"))


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_noise_of_a_large_seed_is_drawn_again_as_its_revision_drew_it(
    before, experiment, made_before, tmp_path, monkeypatch
):
    observation, dataset = {"noise": {"absolute": 0.1}}, {"train": 4, "test": 3, "seed": 7 + 2**32}
    config = experiment(observation=observation, dataset=dataset)
    with monkeypatch.context() as patch:
        if before:
            patch.setattr(sampling, "WIDE_REVISION", REVISION + 1)
        generate(config, tmp_path, jobs=1)
    assert bool(reintegrate(tmp_path, 20).problems) == before
    if before:
        made_before(tmp_path)
        assert verify(tmp_path) == []
        assert reintegrate(tmp_path, 20).problems == []


@pytest.mark.parametrize("dimension", [1, 2, 4, 5])
def test_states_are_uniform_in_the_box(dimension):
    # Kolmogorov and Smirnov, at 1 in 10 000; the seed is fixed, so this is no lottery.
    states = initial_states(box(dimension), 7, "train", 0, 20_000)
    assert states.shape == (20_000, dimension)
    for values, (low, high) in zip(states.T, box(dimension), strict=True):
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4
    if dimension > 1:
        angle = np.histogram2d(states[:, 0], states[:, -1], bins=8)[0].ravel()
        assert stats.chisquare(angle).pvalue > 1e-4


@given(
    low=st.floats(-1e300, 1e300),
    width=st.floats(0, 1e300),
    seed=st.integers(0, 2**63 - 1),
    start=st.integers(0, 99),
)
def test_states_lie_in_the_box(low, width, seed, start):
    high = low + width
    states = initial_states([(low, high), (0.0, 1.0)], seed, "train", start, start + 50)
    assert (states >= [low, 0.0]).all()
    assert (states <= [high, 1.0]).all()


def test_a_box_of_no_width_is_its_point():
    states = initial_states([(2.0, 2.0), (0.1, 0.1)], 0, "train", 0, 10)
    np.testing.assert_array_equal(states, np.tile([2.0, 0.1], (10, 1)))


def test_the_first_rows_stay_what_they_are():
    # Frozen: a dataset that somebody published under a seed must be made again from it by every version.
    states = initial_states([(-5.0, 5.0), (-5.0, 5.0)], 0, "train", 0, 2)
    np.testing.assert_array_equal(states, FROZEN)


FROZEN = [[-4.859329643343523, -2.4223275437538225], [4.791345000654033, -2.4391609673066217]]
