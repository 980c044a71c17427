"""The order of a shuffle in blocks: each sample once, whatever the sizes; what a rank reads; how well it mixes."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data.batches import block_order
from trajstore.data.batches.block_order import BlockOrder

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=40)
FILL = st.integers(1, 45)
SEED = st.integers(0, 2**63 - 1)


def bounds_of(sizes):
    return np.append(0, np.cumsum(sizes)).astype(np.int64)


def blocks_of(order, bounds):
    """In turn, the numbers of each fill's blocks."""
    return [
        set((np.searchsorted(bounds, order.share(fill).numbers().numpy(), side="right") - 1).tolist())
        for fill in range(order.fills)
    ]


@given(sizes=SIZES, fill=FILL, seed=SEED)
def test_the_fills_have_every_sample_once_and_no_more_blocks_than_the_buffer_holds(sizes, fill, seed):
    bounds = bounds_of(sizes)
    order = BlockOrder(bounds, fill, seed)
    assert len(order) == bounds[-1]
    shares = [order.share(number) for number in range(order.fills)]
    numbers = torch.cat([share.numbers() for share in shares])
    assert sorted(numbers.tolist()) == list(range(bounds[-1]))
    blocks = blocks_of(order, bounds)
    assert sorted(itertools.chain.from_iterable(blocks)) == list(range(len(sizes))), (
        "a block lies in one fill"
    )
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    assert max(map(len, blocks)) <= fill
    for number, share in enumerate(shares):
        assert order.turns(number, 0, 1) == (order.starts[number], order.starts[number] + len(share.places))


# Sizes at which small fills already have lanes.
@pytest.mark.slow
@given(sizes=SIZES, fill=FILL, seed=SEED, world=st.integers(1, 14), lane=st.sampled_from([1, 2, 8]))
def test_the_ranks_take_turns_in_one_order_for_all_world_sizes(sizes, fill, seed, world, lane):
    bounds = bounds_of(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_order, "LANE_SAMPLES", lane)
        patch.setattr(block_order, "LANES", (24, 12, 6))
        order = BlockOrder(bounds, fill, seed)
        alone = torch.cat([order.share(number).numbers() for number in range(order.fills)])
        for rank in range(world):
            shares = [order.share(number, rank, world) for number in range(order.fills)]
            mine = torch.cat([share.numbers() for share in shares])
            assert torch.equal(mine, alone[rank::world])
            laid = 0
            for number, share in enumerate(shares):
                assert order.turns(number, rank, world) == (laid, laid + len(share.places))
                laid += len(share.places)
        assert [order.sample(place) for place in range(0, len(order), 7)] == alone[::7].tolist()


@pytest.mark.parametrize("world", [2, 3, 8, 96])
def test_a_rank_reads_its_own_part_alone(world):
    order = BlockOrder(bounds_of([300] * 63 + [17]), 16, seed=5)
    assert order.fills == 4
    for fill in range(order.fills):
        read = 0
        for rank in range(world):
            share = order.share(fill, rank, world)
            read += int(np.diff(share.pieces).sum())
            assert np.diff(share.pieces).sum() == len(share.places)
        assert read == order.starts[fill + 1] - order.starts[fill]


def test_a_world_size_without_lanes_of_its_own_reads_whole_fills_but_uses_its_own_samples():
    order = BlockOrder(bounds_of([300] * 64), 16, seed=5)
    share = order.share(0, 2, 7)
    assert np.diff(share.pieces).sum() == 16 * 300
    assert len(share.places) in (685, 686)


def test_the_order_of_small_data_is_the_same_everywhere():
    order = BlockOrder(bounds_of([3, 3, 3, 2]), 2, seed=1)
    found = torch.cat([order.share(fill).numbers() for fill in range(order.fills)]).tolist()
    assert found == [5, 3, 9, 10, 4, 0, 1, 8, 7, 2, 6]


@pytest.mark.slow
def test_what_fits_into_the_buffer_favours_no_place():
    # Sample i at place j, over 3000 epochs of 10 samples in 3 blocks: as the shuffle of all samples.
    counts = torch.zeros(10, 10)
    for seed in range(3000):
        counts[torch.arange(10), BlockOrder(bounds_of([4, 4, 2]), 3, seed).share(0).numbers()] += 1
    chi2 = ((counts - 300) ** 2 / 300).sum().item()
    assert 45 < chi2 < 130  # 81 degrees of freedom: mean 81, sigma 12.7


@pytest.mark.slow
def test_each_block_is_in_each_fill_as_often():
    # 7 blocks, 2 at once: 4 fills. Over 1200 epochs a block is in each fill 300 times, sigma 15.
    counts = np.zeros((7, 4))
    for seed in range(1200):
        bounds = bounds_of([1] * 7)
        for fill, blocks in enumerate(blocks_of(BlockOrder(bounds, 2, seed), bounds)):
            counts[sorted(blocks), fill] += 1
    assert np.abs(counts - 300).max() < 4 * 15


def test_a_fill_has_blocks_of_all_parts_of_the_dataset():
    bounds = bounds_of([1] * 100)
    for blocks in blocks_of(BlockOrder(bounds, 10, seed=3), bounds):
        assert sorted(block // 10 for block in blocks) == list(range(10))
