"""The measure of mixing, by theory and on orders that are well and badly mixed."""

from pathlib import Path

import numpy as np
import pytest
from trajstore.data.batches.block_order import BlockOrder

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SAMPLES, BLOCK, FILL, BATCH = 96_000, 100, 60, 64


@pytest.fixture
def mixing(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import mixing

    return mixing


def in_blocks(seed):
    order = BlockOrder(np.arange(0, SAMPLES + 1, BLOCK), FILL, seed)
    return np.concatenate([order.share(fill).numbers().numpy() for fill in range(order.fills)])


def effects(mixing, order, batch=BATCH):
    bounds = np.arange(0, SAMPLES + 1, BLOCK)
    return [
        mixing.design_effect(order, batch, values)
        for values in (mixing.by_row(SAMPLES), mixing.by_block(bounds))
    ]


def test_a_full_shuffle_is_a_uniform_draw(mixing):
    orders = [np.random.default_rng(seed).permutation(SAMPLES) for seed in range(4)]
    # 6000 batches: the mean square has a standard error of 0.018.
    assert np.mean([effects(mixing, order) for order in orders], axis=0) == pytest.approx([1, 1], abs=0.07)


def test_samples_in_the_order_of_the_files_are_not_mixed(mixing):
    sorted_rows, alike = effects(mixing, np.arange(SAMPLES))
    assert sorted_rows == pytest.approx(BATCH, rel=0.01)
    # A batch of 64 lies in one block of 100, or in two.
    assert BATCH / 2 < alike < BATCH


@pytest.mark.slow
def test_a_shuffle_in_blocks_is_as_good_as_a_full_one_for_sorted_rows(mixing):
    found = np.mean([effects(mixing, in_blocks(seed))[0] for seed in range(4)])
    assert 0.5 < found < 1.1


@pytest.mark.slow
def test_a_shuffle_in_blocks_is_as_good_as_its_buffer_where_blocks_are_alike(mixing):
    # Two samples of a batch share one of 60 blocks: the effect is at most 1 + 63 / 60, and less as lanes keep the
    # samples of a block apart.
    found = np.mean([effects(mixing, in_blocks(seed))[1] for seed in range(4)])
    assert 1.1 < found < 1 + (BATCH - 1) / FILL


def test_shards_in_random_order_each_shuffled_are_told_from_a_mixed_order(mixing):
    generator = np.random.default_rng(0)
    shards = np.arange(SAMPLES).reshape(16, -1)
    order = np.concatenate([generator.permutation(shards[number]) for number in generator.permutation(16)])
    sorted_rows, _ = effects(mixing, order)
    assert sorted_rows > 0.95 * BATCH
