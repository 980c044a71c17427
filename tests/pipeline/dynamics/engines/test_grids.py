"""The grid as heyoka takes it fastest is the grid."""

import itertools

import heyoka
import numpy as np
from trajstore.pipeline.dynamics.engines.taylor.grids import Grid, grids_of

TIMES = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.4, 30)) - 1.0


def test_it_is_an_array_that_flattens_to_its_own_numbers():
    grid, plain = Grid.of(TIMES, 8), np.repeat(TIMES[:, None], 8, axis=1)
    np.testing.assert_array_equal(grid, plain)
    assert grid.flatten() == plain.flatten().tolist()


def test_heyoka_gives_the_same_bytes_on_it_as_on_any_other_array():
    x, v = heyoka.make_vars("x", "v")
    starts = np.random.default_rng(4).normal(size=(2, 8))

    def states(grid: np.ndarray) -> np.ndarray:
        integrator = heyoka.taylor_adaptive_batch([(x, v), (v, -heyoka.sin(x))], starts.copy())
        integrator.set_time(TIMES[0])
        return np.asarray(integrator.propagate_grid(grid)[1])

    expected = states(np.repeat(TIMES[:, None], 8, axis=1))
    assert states(Grid.of(TIMES, 8)).tobytes() == expected.tobytes()
    # It does read what it is given, to the last number.
    moved = TIMES.copy()
    moved[-1] += 0.01
    assert (states(Grid.of(moved, 8))[-1] != expected[-1]).all()


def test_pieces_meet_and_cover_the_grid():
    pieces = list(grids_of(TIMES, 4, 8))
    for (first, grid), (begin, after) in itertools.pairwise(pieces):
        assert begin == first + len(grid) - 1
        np.testing.assert_array_equal(grid[-1], after[0])
    joined = [grid[:, 0] if first == 0 else grid[1:, 0] for first, grid in pieces]
    np.testing.assert_array_equal(np.concatenate(joined), TIMES)
