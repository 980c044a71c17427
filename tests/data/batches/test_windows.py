"""Windows: index arithmetic, against enumeration."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import DataError
from trajstore.data.batches import windows
from trajstore.data.batches.windows import Windows

SIZES = st.integers(1, 30).flatmap(
    lambda samples: st.tuples(st.just(samples), st.integers(1, samples), st.integers(1, 35))
)


def starts(samples: int, length: int, stride: int) -> list[int]:
    """First samples of all windows that fit, found by trying each."""
    return [start for start in range(0, samples, stride) if start + length <= samples]


@given(SIZES)
def test_as_many_windows_a_row_as_fit(sizes):
    assert Windows(*sizes).per_row == len(starts(*sizes))


@given(SIZES, st.integers(1, 6))
def test_numbers_run_through_the_windows_of_each_row_in_turn(sizes, rows):
    cut = Windows(*sizes)
    expected = [(row, window) for row in range(rows) for window in range(len(starts(*sizes)))]
    located = cut.locate(np.arange(len(expected)))
    assert list(zip(*(part.tolist() for part in located), strict=True)) == expected


@given(SIZES, st.integers(1, 5), st.integers(1, 3), st.booleans())
def test_a_window_is_a_slice_of_one_row(sizes, rows, components, flipped):
    samples, length, _ = sizes
    state = np.arange(rows * samples * components, dtype=np.float64).reshape(rows, samples, components)
    if flipped:
        state = state[::-1]
    view = Windows(*sizes).view(state)
    for row in range(rows):
        for window, start in enumerate(starts(*sizes)):
            np.testing.assert_array_equal(view[row, window], state[row, start : start + length])


def test_a_view_copies_nothing_and_cannot_be_written():
    state = np.zeros((3, 10, 2))
    view = Windows(10, 4, 3).view(state)
    assert np.shares_memory(view, state)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0, 0, 0] = 1.0


@pytest.mark.parametrize("sizes", [(10, 0), (10, 11), (10, -1), (10, 4, 0), (10, 4, -1)])
def test_impossible_windows_are_refused_with_the_numbers(sizes):
    with pytest.raises(DataError, match=str(sizes[2] if len(sizes) > 2 else sizes[1])):
        Windows(*sizes)


def test_the_example_in_the_docstring_is_right():
    result = doctest.testmod(windows)
    assert result.attempted > 0
    assert result.failed == 0
