"""Rows that splits share are counted as sets would count them, in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data.integrity.shared_rows import SharedRows, _hashes, can_share
from trajstore.data.shard.schema import SPLITS

PAIRS = [("validation", "train"), ("test", "train"), ("test", "validation")]
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e-300, np.nextafter(1.0, 2.0)])
PORTIONS = st.lists(
    st.tuples(st.sampled_from(SPLITS), st.lists(st.tuples(VALUES, VALUES), max_size=12)), max_size=9
)


@pytest.mark.slow
@given(portions=PORTIONS, nested=st.booleans())
def test_counts_are_those_of_sets(portions, nested):
    shared, kept = SharedRows(), {split: [] for split in SPLITS}
    for split, rows in portions:
        hashes = _hashes(np.array(rows, dtype=np.float64).reshape(-1, 2))
        if nested:
            part = SharedRows()
            part.add(split, hashes)
            shared.merge(SharedRows.from_dict(part.to_dict()))
        else:
            shared.add(split, hashes)
        # Tuples are equal as numbers are: 0.0 == -0.0.
        kept[split] += rows
    expected = {pair: sum(row in kept[pair[1]] for row in kept[pair[0]]) for pair in PAIRS}
    assert shared.counts() == {pair: count for pair, count in expected.items() if count}
    assert shared.exact


def test_of_very_many_rows_a_part_is_looked_at():
    shared, most, rows = SharedRows(most=1000), 1000, 200_000
    numbers = np.random.default_rng(0).random((rows, 3))
    for start in range(0, rows, 10_000):
        shared.add("train", _hashes(numbers[start : start + 10_000]))
        assert len(shared._hashes) <= 2 * most
    # A fifth of the rows of test are rows of train.
    shared.add("test", _hashes(np.concatenate([numbers[:10_000], numbers[:40_000] + 1])))
    assert not shared.exact
    (count,) = shared.counts().values()
    # Of a binomial distribution: 10 000 rows, of which one in 256 is looked at.
    assert abs(count - 10_000) < 4 * np.sqrt(10_000 * 256)


def test_few_different_rows_are_counted_exactly_however_often_they_occur():
    shared = SharedRows(most=100)
    for split in SPLITS:
        for _ in range(50):
            shared.add(split, _hashes(np.arange(64.0)[:, None]))
    assert shared.exact
    assert shared.counts() == dict.fromkeys(PAIRS, 3200)


def config(box=(1.0, 1.0), starts=None, derived=None, **parameters):
    system = {"equations": {"x": "-k*x"}, "initial_state": {"x": list(box)}, "parameters": parameters}
    made = {"system": system, "initial_states": starts, "derived": derived}
    return {key: value for key, value in made.items() if value is not None}


LISTED, DRAWN = {"draw": {"values": [1.0, 2.0]}}, {"draw": {"uniform": [1.0, 2.0]}}


@pytest.mark.parametrize(
    ("given_config", "expected"),
    [
        (config(k=LISTED), True),
        (config(k={"value": 1.0}), True),
        (config((0.0, 1.0), k=LISTED), False),
        (config(k=DRAWN), False),
        # So narrow that few numbers are in it.
        (config((1.0, 1.0 + 2e-16), k=LISTED), True),
        (config(k={"draw": {"uniform": [1e9, 1e9 + 1e-5]}}), True),
        (config((0.0, 1e-300), k=LISTED), False),
        (config(k={"draw": {"log_uniform": [2.0, 2.0]}}), True),
        (config(k={**DRAWN, "by_split": {"test": {"values": [1.5]}}}), True),
        (config(k={**DRAWN, "by_split": {"test": {"uniform": [3.0, 4.0]}}}), False),
        (config((0.0, 1.0), {"kind": "attractor", "transient": 9.0}, k=LISTED), True),
        (config((0.0, 1.0), {"kind": "file"}, k=LISTED), True),
        (config((0.0, 1.0), {"kind": "two-body"}), False),
        (config((0.0, 1.0), derived={"operation": "merge"}), True),
        ({"system": {"states": ["x"]}}, False),
        ({"system": {"equations": {}, "parameters": 3, "initial_state": {"x": "wide"}}}, True),
        (config(k={"draw": 7, "by_split": 7}), True),
    ],
)
def test_where_random_numbers_forbid_it_nothing_is_compared(given_config, expected):
    assert can_share(given_config) is expected
