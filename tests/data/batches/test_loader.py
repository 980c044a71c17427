"""The loader: which sample comes in which batch, by arithmetic on a stand-in whose samples are their numbers."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import DataError, make_loader
from trajstore.data.batches import loader as loader_module


class Numbers(torch.utils.data.Dataset):
    """Sample i is the number i."""

    sample_bytes = 1024

    def __init__(self, size: int) -> None:
        self.size = size
        self.reads = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index):
        self.reads += len(index)
        return index.clone(), -index


def numbers(batches) -> list[list[int]]:
    listed = []
    for inputs, targets in batches:
        assert torch.equal(inputs, -targets)
        listed.append(inputs.tolist())
    return listed


def flat(batches) -> list[int]:
    return [number for batch in numbers(batches) for number in batch]


SIZE = st.integers(1, 70)
BATCH = st.integers(1, 30)
SEED = st.integers(0, 2**63 - 1)


@given(size=SIZE, batch=BATCH, seed=SEED, shuffle=st.booleans())
def test_an_epoch_has_every_sample_once_in_full_batches_but_the_last(size, batch, seed, shuffle):
    loader = make_loader(Numbers(size), batch, shuffle=shuffle, seed=seed)
    for _ in range(2):
        batches = numbers(loader)
        assert [len(one) for one in batches[:-1]] == [batch] * (len(batches) - 1)
        assert len(batches) == len(loader)
        found = [number for one in batches for number in one]
        assert sorted(found) == list(range(size))
        assert shuffle or found == list(range(size))


@pytest.mark.parametrize("seed", [2**64, 2**64 + 5, 10**40])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_seed_that_would_be_taken_for_a_smaller_one_is_refused(seed, shuffle):
    with pytest.raises(DataError, match=f"seed is {seed}; expected a whole number below 2\\*\\*64"):
        make_loader(Numbers(10), 3, shuffle=shuffle, seed=seed)
    assert make_loader(Numbers(10), 3, shuffle=True, seed=2**64 - 1).seed == 2**64 - 1


@given(size=SIZE, batch=BATCH, seed=SEED)
def test_drop_last_leaves_out_only_the_batch_that_is_not_full(size, batch, seed):
    if size < batch:
        with pytest.raises(DataError, match="drop_last"):
            make_loader(Numbers(size), batch, drop_last=True)
        return
    options = {"shuffle": True, "seed": seed}
    kept = make_loader(Numbers(size), batch, drop_last=True, **options)
    batches = numbers(make_loader(Numbers(size), batch, **options))
    assert numbers(kept) == [one for one in batches if len(one) == batch]
    assert len(kept) == size // batch


@pytest.mark.slow
@given(size=SIZE, batch=BATCH, seed=SEED, start=st.integers(0, 200), drop_last=st.booleans())
def test_steps_from_any_number_on_are_the_steps_that_an_uninterrupted_pass_makes(
    size, batch, seed, start, drop_last
):
    if drop_last and size < batch:
        return
    options = {"shuffle": True, "seed": seed, "drop_last": drop_last}
    loader = make_loader(Numbers(size), batch, **options)
    whole = numbers(itertools.islice(loader.steps(), start + 5))
    again = make_loader(Numbers(size), batch, **options)
    assert numbers(itertools.islice(again.steps(start), 5)) == whole[start:]
    epochs = make_loader(Numbers(size), batch, **options)
    passes = itertools.chain.from_iterable(epochs for _ in range(start + 5))
    assert numbers(itertools.islice(passes, start + 5)) == whole


def test_steps_that_are_skipped_are_not_read():
    dataset = Numbers(100)
    next(make_loader(dataset, 10, shuffle=True).steps(1009))
    assert dataset.reads == 10


@given(size=SIZE, batch=st.integers(1, 9), world=st.integers(1, 9), seed=SEED, shuffle=st.booleans())
def test_the_ranks_together_see_what_one_process_sees(size, batch, world, seed, shuffle):
    options = {"shuffle": shuffle, "seed": seed}
    alone = numbers(make_loader(Numbers(size), batch * world, **options))
    ranks = [
        make_loader(Numbers(size), batch, rank=rank, world_size=world, **options) for rank in range(world)
    ]
    shares = [numbers(loader) for loader in ranks]
    assert len({len(share) for share in shares}) == 1
    assert [len(loader) for loader in ranks] == [len(share) for share in shares]
    for step, together in enumerate(alone):
        turns = [share[step] for share in shares]
        assert len({len(turn) for turn in turns}) == 1, "ranks would wait for each other"
        seen = [number for turn in zip(*turns, strict=True) for number in turn]
        assert seen[: len(together)] == together
    every = sorted({number for share in shares for one in share for number in one})
    assert every == list(range(size))


@given(size=SIZE, batch=st.integers(1, 9), world=st.integers(1, 9), seed=SEED)
def test_with_drop_last_no_sample_comes_twice_in_an_epoch_of_all_ranks(size, batch, world, seed):
    options = {"shuffle": True, "seed": seed, "drop_last": True, "world_size": world}
    if size // world < batch:
        with pytest.raises(DataError, match="drop_last"):
            make_loader(Numbers(size), batch, rank=0, **options)
        return
    shares = [numbers(make_loader(Numbers(size), batch, rank=rank, **options)) for rank in range(world)]
    found = [number for share in shares for one in share for number in one]
    assert len(found) == len(set(found)) == size // world // batch * batch * world
    assert {len(one) for share in shares for one in share} == {batch}


@given(size=SIZE, batch=BATCH, rows=st.integers(1, 100))
def test_the_order_does_not_depend_on_the_size_of_a_block(size, batch, rows):
    expected = numbers(make_loader(Numbers(size), batch, shuffle=True, seed=5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader_module, "BLOCK_ROWS", rows)
        assert numbers(make_loader(Numbers(size), batch, shuffle=True, seed=5)) == expected


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    def order(seed: int, epoch: int, size: int = 200) -> list[int]:
        loader = make_loader(Numbers(size), 7, shuffle=True, seed=seed)
        loader.set_epoch(epoch)
        return flat(loader)

    torch.manual_seed(1)
    first = order(3, 2)
    torch.manual_seed(2)
    assert order(3, 2) == first
    orders = {tuple(order(seed, epoch)) for seed in range(6) for epoch in range(6)}
    assert len(orders) == 36


def test_each_pass_takes_the_next_epoch():
    loader = make_loader(Numbers(50), 7, shuffle=True, seed=3)
    passes = [flat(loader) for _ in range(3)]
    assert len({tuple(one) for one in passes}) == 3
    loader.set_epoch(1)
    assert flat(loader) == passes[1]
    assert flat(loader) == passes[2]


def test_a_shuffle_favours_no_place():
    # Sample i at place j, over 3000 epochs of 10 samples: each of the 100 counts has mean 300, sigma 16.4.
    loader = make_loader(Numbers(10), 10, shuffle=True, seed=0)
    counts = torch.zeros(10, 10)
    for epoch in range(3000):
        counts[torch.arange(10), loader.order(epoch)] += 1
    chi2 = ((counts - 300) ** 2 / 300).sum().item()
    assert 45 < chi2 < 130  # 81 degrees of freedom: mean 81, sigma 12.7


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"batch_size": 4, "rank": 2, "world_size": 2}, "rank 2 of world_size 2"),
        ({"batch_size": 4, "rank": -1, "world_size": 2}, "rank is -1"),
        ({"batch_size": 4, "rank": 0, "world_size": 0}, "world_size is 0"),
        ({"batch_size": 2.0}, "batch_size is 2.0; expected a whole number of 1 or more"),
        ({"batch_size": True}, "batch_size is True"),
        ({"batch_size": 4, "shuffle": "full"}, "shuffle is 'full'; expected True, False or \"block\""),
        ({"batch_size": 4, "shuffle": "block", "seed": "a"}, "seed is 'a'; expected a whole number of 0"),
        ({"batch_size": 4, "seed": None}, "seed is None"),
        ({"batch_size": 4, "seed": -1}, "seed is -1"),
        ({"batch_size": 4, "workers": -1}, "workers is -1; expected a whole number of 0 or more"),
        ({"batch_size": 4, "workers": "all"}, "workers is 'all'"),
        ({"batch_size": 4, "drop_last": "no"}, "drop_last is 'no'; expected True or False"),
        ({"batch_size": 4, "start_method": "thread"}, "start_method is 'thread'; expected None or one of"),
        ({"batch_size": 4, "block_bytes": "1 MB"}, "block_bytes is '1 MB'"),
        ({"batch_size": 4, "buffer_bytes": 0}, "buffer_bytes is 0"),
    ],
)
def test_impossible_values_are_refused_by_name(options, expected):
    with pytest.raises(DataError, match=expected):
        make_loader(Numbers(10), **options)


def test_a_loader_of_a_path_is_refused():
    with pytest.raises(DataError, match="dataset is 'artifacts/quick/dataset'; expected a TrajectoryDataset"):
        make_loader("artifacts/quick/dataset", 4)


@pytest.mark.parametrize("seed", [0, 3, np.int64(3)])
def test_a_seed_that_would_shuffle_nothing_is_refused(seed):
    with pytest.raises(DataError, match=r"nothing is shuffled; give shuffle=True"):
        make_loader(Numbers(10), 4, seed=seed)
    in_order = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert numbers(make_loader(Numbers(10), 4, shuffle=False, seed=seed)) == in_order
    assert numbers(make_loader(Numbers(10), 4)) == in_order
    assert make_loader(Numbers(10), 4, shuffle=True).seed == 0


def test_numpys_integers_are_whole_numbers():
    wanted = {"seed": np.int64(3), "workers": np.uint8(0), "world_size": np.int32(1)}
    loader = make_loader(Numbers(10), np.int64(4), shuffle=True, **wanted)
    assert numbers(loader) == numbers(make_loader(Numbers(10), 4, shuffle=True, seed=3))
