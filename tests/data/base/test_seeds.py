"""Seeds that are not the same begin generators that are not the same."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data.base.seeds import mix_seeds, torch_seed


def numbers(seed: int) -> list[float]:
    return torch.rand(2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).tolist()


@given(low=st.integers(0, 2**32 - 1), words=st.sets(st.integers(0, 2**31 - 1), min_size=2, max_size=5))
def test_seeds_that_differ_in_their_upper_word_begin_otherwise(low, words):
    seeds = [low + 2**32 * word for word in words]
    assert len({tuple(numbers(torch_seed(seed))) for seed in seeds}) == len(seeds)
    # So do the orders of batches.
    assert len({tuple(numbers(mix_seeds(seed, 3))) for seed in seeds}) == len(seeds)


def test_torch_itself_looks_at_the_lower_word_alone():
    # Where this fails, `torch_seed` is of no use any more.
    assert numbers(5) == numbers(5 + 2**32)


@given(seed=st.integers(0, 2**32 - 1))
def test_small_seeds_stay(seed):
    assert torch_seed(seed) == seed
