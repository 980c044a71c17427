"""The order of an epoch that is shuffled in blocks: index arithmetic alone, nothing is read.

Blocks of consecutive samples fill a buffer in random order, and each fill is shuffled as a whole. Blocks are dealt
to the fills in runs: of consecutive blocks, as many as there are fills, each fill gets one. So a fill is a stratified
sample of the dataset, and data that are sorted along the rows are mixed as well as by a shuffle of all samples.

Within a fill, samples are dealt to lanes; the samples of a lane lie in few blocks, and each lane has every
so-many-th turn. Where the world size divides the number of lanes, a rank reads the blocks of its own lanes alone,
though the order is the same for all world sizes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..base.seeds import mix_seeds

# Multiples of the usual world sizes; a fill takes the first that gives each lane so many samples.
LANES = (192, 96, 48, 24, 12)
LANE_SAMPLES = 8


@dataclass(frozen=True)
class Share:
    """The samples of one fill that one rank uses.

    pieces  (n, 2) int64: from which sample up to (without) which, consecutive ones that are read together
    places  (m,) int64, in the order of use: where a sample is in the pieces, laid one after the other
    """

    pieces: np.ndarray
    places: Tensor

    def numbers(self) -> Tensor:
        """Sample numbers in the order of use, (m,) int64."""
        sizes = self.pieces[:, 1] - self.pieces[:, 0]
        shifts = self.pieces[:, 0] - (np.cumsum(sizes) - sizes)
        return torch.from_numpy(np.arange(sizes.sum()) + np.repeat(shifts, sizes))[self.places]

    def part(self, first: int, last: int) -> "Share":
        """Uses `first` to `last` alone; what is read stays the same."""
        return Share(self.pieces, self.places[first:last])


class BlockOrder:
    """One epoch; a function of these arguments.

    bounds          (blocks + 1,) int64: block b has the samples bounds[b] up to (without) bounds[b + 1]
    blocks_in_fill  the most blocks that are in the buffer together
    seed            of this epoch
    """

    def __init__(self, bounds: np.ndarray, blocks_in_fill: int, seed: int) -> None:
        self._bounds, self._seed = bounds, seed
        blocks = len(bounds) - 1
        self.fills = -(-blocks // blocks_in_fill)
        runs = -(-blocks // self.fills)
        keys = torch.rand(runs, self.fills, generator=_generator(seed, 0), dtype=torch.float64)
        dealt = keys.argsort(dim=1, stable=True).flatten()[:blocks].numpy()
        self._blocks = np.argsort(dealt, kind="stable")
        self._firsts = np.append(0, np.cumsum(np.bincount(dealt, minlength=self.fills)))
        samples = np.append(0, np.cumsum(np.diff(bounds)[self._blocks]))
        # The first place of each fill in the order of all ranks together.
        self.starts = samples[self._firsts]

    def __len__(self) -> int:
        """Samples of all ranks together."""
        return int(self.starts[-1])

    def turns(self, fill: int, rank: int, world_size: int) -> tuple[int, int]:
        """Which of a rank's samples of the epoch are in a fill: from which up to (without) which."""
        first, last = (-(-(int(place) - rank) // world_size) for place in self.starts[fill : fill + 2])
        return first, last

    def share(self, fill: int, rank: int = 0, world_size: int = 1) -> Share:
        """What a rank uses of a fill."""
        start, size = int(self.starts[fill]), int(self.starts[fill + 1] - self.starts[fill])
        lanes = self._lanes(size)
        if lanes % world_size:
            whole = self.share(fill)
            return Share(whole.pieces, whole.places[(rank - start) % world_size :: world_size])
        seed = mix_seeds(self._seed, 1 + fill)
        # The first turn of each lane and of this rank, counted from the fill's start.
        turn = (np.arange(lanes) - start) % lanes
        begin = (rank - start) % world_size
        sizes = (size - turn + lanes - 1) // lanes
        # Which lane each stretch of the fill is for: neighbours in turn come from anywhere in it.
        dealt = torch.randperm(lanes, generator=_generator(seed, 1)).numpy()
        mine = dealt % world_size == rank
        places = torch.empty(-(-(size - begin) // world_size), dtype=torch.int64)
        laid = 0
        for lane in dealt[mine].tolist():
            count = int(sizes[lane])
            drawn = torch.randperm(count, generator=_generator(seed, 2 + lane))
            places[(int(turn[lane]) - begin) // world_size :: lanes // world_size] = drawn.add_(laid)
            laid += count
        blocks = self._blocks[self._firsts[fill] : self._firsts[fill + 1]]
        blocks = blocks[torch.randperm(len(blocks), generator=_generator(seed, 0)).numpy()]
        return Share(self._pieces(blocks, np.append(0, np.cumsum(sizes[dealt])), mine), places)

    def sample(self, place: int) -> int:
        """The sample at one place of the order of all ranks together."""
        fill = int(np.searchsorted(self.starts, place, side="right")) - 1
        return int(self.share(fill).numbers()[place - int(self.starts[fill])])

    def _lanes(self, size: int) -> int:
        # What fits into the buffer as a whole is shuffled without lanes, so that all its orders are as likely.
        if self.fills == 1:
            return 1
        return next((lanes for lanes in LANES if size >= lanes * LANE_SAMPLES), 1)

    def _pieces(self, blocks: np.ndarray, cuts: np.ndarray, mine: np.ndarray) -> np.ndarray:
        """What of these blocks, one after the other, is in my stretches from cut to cut."""
        ends = np.append(0, np.cumsum(self._bounds[blocks + 1] - self._bounds[blocks]))
        edges = ends if mine.all() else np.union1d(ends, cuts)
        block = np.searchsorted(ends, edges[:-1], side="right") - 1
        first = self._bounds[blocks[block]] + edges[:-1] - ends[block]
        pieces = np.stack([first, first + np.diff(edges)], axis=1)
        return pieces if mine.all() else pieces[mine[np.searchsorted(cuts, edges[:-1], side="right") - 1]]


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(mix_seeds(seed, number))
