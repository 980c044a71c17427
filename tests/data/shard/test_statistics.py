"""Moments of parts, merged, are the moments of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from trajstore.data.shard import statistics as statistics_module
from trajstore.data.shard.statistics import Moments

STATES = arrays(
    np.float64,
    array_shapes(min_dims=3, max_dims=3, max_side=12),
    elements=st.floats(-1e3, 1e3, allow_subnormal=False),
)


def assert_moments(moments: Moments, state: np.ndarray) -> None:
    """NumPy, over all rows and times at once, is the oracle."""
    values = state.astype(np.float64).reshape(-1, state.shape[2])
    scale = np.abs(values).max(initial=1.0)
    assert moments.count == len(values)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), atol=1e-13 * scale, rtol=1e-12)
    np.testing.assert_allclose(moments.std, values.std(axis=0), atol=1e-7 * scale, rtol=1e-10)
    np.testing.assert_array_equal(moments.minimum, values.min(axis=0))
    np.testing.assert_array_equal(moments.maximum, values.max(axis=0))


@pytest.mark.slow
@given(state=STATES, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_merged_moments_are_those_of_the_union(state, cuts):
    parts = np.split(state, sorted(min(cut, len(state)) for cut in cuts))
    assert_moments(Moments.merge([Moments.of(part) for part in parts]), state)


@pytest.mark.slow
@given(state=STATES, block=st.integers(1, 60))
def test_moments_do_not_depend_on_the_size_of_a_block(state, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics_module, "BLOCK_VALUES", block)
        assert_moments(Moments.of(state), state)


@pytest.mark.parametrize("offset", [1e6, 1e8, -1e8])
def test_a_large_mean_does_not_spoil_the_deviation(offset):
    # E[x^2] - E[x]^2 has no digit left here: 1e16 against 1.
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((20_000, 21, 2)) * [1.0, 1e-3]
    state = noise + offset
    exact = state - offset  # Sterbenz: no rounding
    moments = Moments.merge(Moments.of(part) for part in np.array_split(state, 7))
    np.testing.assert_allclose(moments.std, exact.reshape(-1, 2).std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(np.array(moments.mean) - offset, exact.reshape(-1, 2).mean(axis=0), atol=1e-7)


def test_single_precision_states_are_summed_in_double():
    state = np.full((200_000, 5, 1), 0.1, dtype=np.float32)
    moments = Moments.of(state)
    assert moments.mean[0] == pytest.approx(float(np.float32(0.1)), rel=1e-14)
    assert moments.std[0] < 1e-8


def test_parts_without_rows_count_for_nothing():
    empty, some = Moments.of(np.empty((0, 5, 2))), Moments.of(np.arange(20.0).reshape(2, 5, 2))
    assert empty == Moments(count=0) == Moments.merge([])
    assert Moments.merge([empty, some, empty]) == some
    assert Moments.merge([empty, empty]) == empty


def test_moments_survive_json():
    moments = Moments.of(np.random.default_rng(0).standard_normal((30, 4, 3)))
    assert Moments.model_validate_json(moments.model_dump_json()) == moments
