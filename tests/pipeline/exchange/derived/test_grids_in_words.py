"""Grids that differ are told by what tells them apart, never cut off in the middle."""

import pytest
from trajstore.pipeline.exchange.derived.merge import _two

GRID = [number / 10 for number in range(51)]


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (GRID[:31], GRID, ("31 from 0.0 to 3.0", "51 from 0.0 to 5.0")),
        ([*GRID[:7], 0.65, *GRID[8:]], GRID, ("0.65 at number 7 of 51", "0.7 there")),
        ([0.0, 1.0], GRID[:2], ("[0.0, 1.0]", "[0.0, 0.1]")),
        (list("abcdef"), list("abcdeg"), (str(list("abcdef")), str(list("abcdeg")))),
    ],
)
def test_two_grids(got, expected, said):
    assert _two(got, expected) == said
