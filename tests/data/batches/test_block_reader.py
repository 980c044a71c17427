"""Batches of a shuffle in blocks, beside the same samples one by one through the memory map."""

import itertools
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trajstore.data import DataError, FormatError, TrajectoryDataset, make_loader
from trajstore.data.batches.split import Store
from trajstore.data.shard import layout

pytestmark = pytest.mark.slow

# Small enough for many blocks and many fills of the datasets of these tests.
SIZES = st.fixed_dictionaries(
    {"block_bytes": st.integers(1, 900), "buffer_bytes": st.integers(6_000, 12_000)}
)
SEED = st.integers(0, 2**63 - 1)


def shards_of(make_shard, dtype):
    """60 rows in three shards, of which some failed; mu tells the row."""
    shards = [
        make_shard(33, 6, dtype=dtype, failed=(2, 3, 4)),
        make_shard(1, 6, dtype=dtype, first_row=33),
        make_shard(26, 6, dtype=dtype, first_row=34, failed=(0, 25)),
    ]
    return [replace(shard, parameters={"mu": shard.trajectory / 100}) for shard in shards]


@pytest.fixture(scope="module")
def folders(make_shard, write_dataset, tmp_path_factory):
    """The same rows: plain, in double precision, and compressed in chunks of five rows."""
    root = tmp_path_factory.mktemp("blocks")
    write_dataset(root / "plain", {"train": shards_of(make_shard, "float32")})
    write_dataset(root / "double", {"train": shards_of(make_shard, "float64")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 5 * 6 * 2 * 4)
        write_dataset(root / "packed", {"train": shards_of(make_shard, "float32")}, "gzip")
    return root


@st.composite
def datasets(draw):
    """Kind of the files, and options of a TrajectoryDataset."""
    window = draw(st.sampled_from([None, 2, 5]))
    options = {"task": draw(st.sampled_from(["initial-value", "forecast"])), "window": window}
    options |= {"stride": draw(st.integers(1, 3)), "normalize": draw(st.booleans())}
    if draw(st.booleans()):
        options["parameters"] = ["mu"]
    return draw(st.sampled_from(["plain", "double", "packed"])), options


def same(left, right):
    return len(left) == len(right) and all(
        torch.equal(one, other)
        for pair in zip(left, right, strict=True)
        for one, other in zip(*pair, strict=True)
    )


@settings(max_examples=30)
@given(
    which=datasets(),
    sizes=SIZES,
    seed=SEED,
    batch=st.integers(1, 40),
    drop_last=st.booleans(),
    world=st.integers(1, 5),
    workers=st.integers(0, 3),
    keep=st.booleans(),
)
def test_an_epoch_of_all_ranks_has_every_sample_once_and_as_the_dataset_gives_it(
    folders, which, sizes, seed, batch, drop_last, world, workers, keep
):
    kind, options = which
    dataset = TrajectoryDataset(folders / kind, **options)
    every = []
    for rank in range(world):
        share = {"rank": rank, "world_size": world, "drop_last": drop_last}
        if drop_last and len(dataset) // world < batch:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trajstore.data.batches.block_reader.memory_limit", lambda: None if keep else 1)
            loader = make_loader(
                dataset, batch, shuffle="block", seed=seed, workers=workers, **share, **sizes
            )
        numbers = loader.order(0)
        alone = make_loader(dataset, batch * world, shuffle="block", seed=seed, **sizes).order(0)
        turns = torch.arange(rank, len(dataset) + world, world)[: len(numbers)]
        assert torch.equal(numbers, alone[turns % len(dataset)]), "one order for all world sizes"
        found = list(loader)
        assert len(found) == len(loader)
        assert same(found, [dataset[part] for part in numbers.split(batch)])
        every += numbers.tolist()
    if drop_last:
        assert len(every) == len(set(every)) == len(dataset) // world // batch * batch * world
    else:
        assert set(every) == set(range(len(dataset)))
        assert len(every) == -(-len(dataset) // world) * world


@pytest.mark.parametrize("kind", ["plain", "double", "packed"])
@pytest.mark.parametrize("gap", [0, 64 << 10])
def test_rows_that_failed_are_read_along_or_jumped_over(folders, monkeypatch, kind, gap):
    monkeypatch.setattr("trajstore.data.batches.shard_reader.GAP_BYTES", gap)
    dataset = TrajectoryDataset(folders / kind)
    assert dataset.failed == 5
    loader = make_loader(dataset, 8, shuffle="block", seed=1, block_bytes=1000, buffer_bytes=6_000)
    assert same(list(loader), [dataset[part] for part in loader.order(0).split(8)])


@settings(max_examples=30)
@given(which=datasets(), sizes=SIZES, seed=SEED, batch=st.integers(1, 30), start=st.integers(0, 60))
def test_steps_from_any_number_on_are_those_of_an_uninterrupted_pass(
    folders, which, sizes, seed, batch, start
):
    kind, options = which
    dataset = TrajectoryDataset(folders / kind, **options)
    options = {"shuffle": "block", "seed": seed, **sizes}
    loader = make_loader(dataset, batch, **options)
    whole = list(itertools.islice(loader.steps(), start + 4))
    resumed = list(itertools.islice(make_loader(dataset, batch, **options).steps(start), 4))
    assert same(resumed, whole[start:])
    epochs = itertools.chain.from_iterable(loader for _ in range(start + 4))
    assert same(list(itertools.islice(epochs, start + 4)), whole)


def counted(monkeypatch):
    """The rows that are read from now on."""
    rows, plain = [], Store.read

    def read(self, stretches, *, keep):
        for numbers, _ in stretches:
            rows.extend(numbers.tolist())
        plain(self, stretches, keep=keep)

    monkeypatch.setattr(Store, "read", read)
    return rows


def test_what_is_skipped_is_not_read(small_dataset, monkeypatch):
    dataset = TrajectoryDataset(small_dataset)
    options = {"shuffle": "block", "block_bytes": 700, "buffer_bytes": 3600, "seed": 1}
    loader = make_loader(dataset, 5, **options)
    order = loader.order(3)
    rows = counted(monkeypatch)
    batches = loader.steps(3 * len(loader) + len(loader) - 1)
    _, targets = next(batches)
    batches.close()
    assert torch.equal(targets, dataset[order[-5:]][1])
    # The fill that the batch is in, of at most ten rows, and perhaps the one that is read ahead.
    assert len(rows) <= 20


@pytest.mark.parametrize("world", [2, 3])
def test_the_ranks_of_an_epoch_read_every_row_once(
    folders, make_shard, write_dataset, tmp_path, monkeypatch, world
):
    write_dataset(tmp_path / "many", {"train": [make_shard(2000, 6), make_shard(1500, 6, first_row=2000)]})
    dataset = TrajectoryDataset(tmp_path / "many")
    rows = counted(monkeypatch)
    for rank in range(world):
        sizes = {"block_bytes": 2_400, "buffer_bytes": 60_000}
        for _ in make_loader(dataset, 50, shuffle="block", rank=rank, world_size=world, **sizes):
            pass
    assert len(set(rows)) == 3500
    # The last turn is filled up with samples that came before.
    assert len(rows) <= 3500 + world


def test_reading_ends_when_nobody_takes_batches_any_more(small_dataset):
    dataset = TrajectoryDataset(small_dataset)
    before = set(threading.enumerate())
    batches = make_loader(dataset, 7, shuffle="block", block_bytes=500, buffer_bytes=4000).steps()
    next(batches)
    # Those of other tests may end meanwhile.
    readers = set(threading.enumerate()) - before
    assert readers
    batches.close()
    for thread in readers:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("damage", ["cut off", "gone"])
def test_a_file_that_is_damaged_in_the_middle_of_an_epoch_is_named(dataset_copy, damage):
    batches = make_loader(
        TrajectoryDataset(dataset_copy), 4, shuffle="block", block_bytes=500, buffer_bytes=2500
    ).steps()
    next(batches)
    for path in dataset_copy.glob("train-*.h5"):
        if damage == "gone":
            path.unlink()
        else:
            # Not in place: what is cut off while HDF5 or a memory map reads it takes the process with it.
            (path.parent / "cut").write_bytes(path.read_bytes()[:5000])
            (path.parent / "cut").replace(path)
    with pytest.raises(FormatError, match=r"train-0000\d.h5"):
        list(itertools.islice(batches, 100))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"block_bytes": 0}, "block_bytes is 0"),
        ({"buffer_bytes": 300}, "buffer_bytes is 300, but two blocks of 32 rows take"),
        (
            {"buffer_bytes": 300, "block_bytes": 1},
            "buffer_bytes is 300, but two blocks of 1 rows take 352 bytes",
        ),
        ({"shuffle": "blocks"}, "shuffle is 'blocks'"),
    ],
)
def test_impossible_values_are_refused_by_name(small_dataset, options, expected):
    with pytest.raises(DataError, match=expected):
        make_loader(TrajectoryDataset(small_dataset), 4, **{"shuffle": "block", **options})


MEMORY = """
import json, sys
from trajstore.data import TrajectoryDataset, make_loader

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

folder, options = sys.argv[1], json.loads(sys.argv[2])
dataset = TrajectoryDataset(folder)
# What the first batches bring along is not what grows with the dataset.
next(iter(make_loader(dataset, 64, shuffle="block", block_bytes=1 << 16, buffer_bytes=1 << 20)))
before, samples = peak(), 0
for _, targets in make_loader(dataset, 64, **options):
    samples += len(targets)
print(peak() - before, samples)
"""


@pytest.fixture(scope="module")
def large(make_shard, write_dataset, tmp_path_factory):
    """96 MB of states."""
    shards = [make_shard(10_000, 150, first_row=10_000 * number) for number in range(8)]
    return write_dataset(tmp_path_factory.mktemp("large") / "dataset", {"train": shards})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded_by_the_buffer_and_not_by_the_dataset(large):
    def grows(options: str) -> float:
        command = [sys.executable, "-c", MEMORY, str(large), options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        grown, samples = map(int, done.stdout.split())
        assert samples == 80_000
        return grown / 1e6

    blocks = '{"shuffle": "block", "block_bytes": 65536, "buffer_bytes": 16000000}'
    # The buffer, and what is on its way to tensors: 25 to 37 MB.
    assert grows(blocks) < 16 + 32
    assert grows('{"shuffle": true}') > 90, "the memory map counts what it has touched"
