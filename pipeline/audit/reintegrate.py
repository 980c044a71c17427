"""Do the stored states follow from the stored equations? Integrate rows again, with the other engine."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data.base.errors import FormatError, TrajstoreError
from ...data.base.findings import Finding
from ...data.folder.manifest_reading import load_manifest
from ...data.folder.remote_folder import dataset_path
from ...data.integrity.verify import choose_shards
from ...data.shard.schema import DERIVATIVE, DIAGNOSTICS, ENERGY_DRIFT
from ...data.shard.shard import Shard, read_shard
from ...data.shard.structure import json_attribute
from ..config.observation import Observation
from ..describe.phrases import percentage
from ..dynamics.diagnostics import check_diagnostics
from ..dynamics.systems import System
from .allowance import Allowance, promise_of
from .compare import Compared, compare
from .giving_up import given_up_again
from .growth import SAMPLES
from .reference import integrate_again
from .remeasure import drift_problems, status_with_diagnostics

# Numbers of the rows that are integrated at once.
AT_ONCE = 1 << 23


@dataclass(frozen=True)
class Reintegration:
    """What came of it.

    rows      how many were integrated again
    engine    names of the methods
    largest   deviation of a row, in the units of the states
    share     the largest deviation, as a share of what is allowed there
    numbers   that are stored of rows that did not fail, and were compared; none where all rows failed
    judged    share of these of which an error of a millionth of the component's scale would have been found; 1 where
              there are none, which says nothing
    coarsely  the same of a thousandth
    lost      rows of which some states could not be compared at all
    problems  a line for each row that is off
    """

    rows: int
    engine: str
    largest: float
    share: float
    numbers: int
    judged: float
    coarsely: float
    lost: int
    problems: list[Finding]

    def facts(self) -> dict[str, Any]:
        """JSON-ready, but for the problems."""
        return {key: value for key, value in asdict(self).items() if key != "problems"}

    def remark(self) -> str:
        """The same in words."""
        if not self.numbers:
            return f"nothing could be judged, for all {self.rows} rows that were drawn are stored as failed"
        said = (
            f"{self.rows} rows integrated again by {self.engine}, largest deviation {self.largest:.1e}, "
            f"{self.share:.2g} of what is allowed (1 is too much); judged {percentage(self.judged, 1.0)} of the "
            f"points to 1e-6 of their component's scale, {percentage(self.coarsely, 1.0)} to 1e-3"
        )
        if self.lost:
            said += f"; some states of {self.lost} rows could not be compared, for errors may hide them"
        return said


def reintegrate(path: str | Path, rows: int, seed: int = 0, shards: slice | None = None) -> Reintegration:
    """Do stored states follow from the stored equations? Integrate rows again and compare.

    Each component is judged by itself, against what both solvers may err in it: their tolerances relative to its
    own scale along the row, errors of the others, all magnified as the flow does it along that very trajectory,
    the rounding of the stored dtype and, for linear resampling, the sagitta of the longest step. Where errors
    have grown too much for small ones to be seen, a row is followed anew from the state stored there, if all of
    its states are stored without noise. The drift of the energy is measured again, see `remeasure`.

    Args:
        path: A dataset folder, or one shard.
        rows: How many rows are drawn, at least one from each shard as long as they last.
        seed: Which rows are drawn.
        shards: Which of the manifest's shards they are drawn from, in its order; None draws from all.

    Returns:
        Deviations, what could be judged, and a problem for each row that is off.

    Raises:
        FormatError: The path is no dataset.
        TrajstoreError: It was measured, or has noise that cannot be drawn again.
    """
    found, problems, checked, names = Compared(), [], 0, set()
    for file, chosen in _draw(dataset_path(path), rows, seed, shards):
        shard = read_shard(file)
        system, observation = _equations(file, shard)
        stored = json_attribute(shard.attributes, "engine", file)
        for some in _few_at_once(shard, chosen):
            some = some[~given_up_again(shard, some, stored, system)]
            if not len(some):
                continue
            promise = promise_of(shard, some, stored)
            solved = integrate_again(
                system, observation, stored, shard, some, promise, samples=_needs_samples(shard)
            )
            solved = replace(solved, status=status_with_diagnostics(shard, some, system, solved))
            names.update(solved.methods)
            allowance = Allowance(shard, some, stored, system, observation, solved, promise)
            for row, compared in compare(shard, some, stored, system, solved, allowance):
                found += compared
                if compared.wrong:
                    problems.append(Finding(file.name, f"row {shard.trajectory[row]}: {compared.wrong}"))
            for row, wrong in drift_problems(shard, some, system, solved, promise):
                problems.append(Finding(file.name, f"row {shard.trajectory[row]}: {wrong}"))
        checked += len(chosen)
    total = max(found.numbers, 1)
    return Reintegration(
        checked,
        ", ".join(sorted(names)),
        found.largest,
        found.share,
        found.numbers,
        found.judged / total if found.numbers else 1.0,
        found.coarsely / total if found.numbers else 1.0,
        found.lost,
        problems,
    )


def _draw(path: Path, rows: int, seed: int, shards: slice | None) -> list[tuple[Path, np.ndarray]]:
    """Local row numbers by file, at least one from each file while `rows` lasts."""
    if path.is_file():
        sizes = {path: len(read_shard(path).status)}
    else:
        records = choose_shards(path, load_manifest(path), shards)
        sizes = {path / record.file: record.rows for record in records}
    generator = np.random.default_rng(seed)
    counts = dict.fromkeys(sizes, 0)
    files = list(sizes)
    order = [files[index] for index in generator.permutation(len(sizes))]
    while rows > 0 and (open_files := [file for file in order if counts[file] < sizes[file]]):
        for file in open_files[:rows]:
            counts[file] += 1
        rows -= len(open_files[:rows])
    return [
        (file, np.sort(generator.choice(sizes[file], count, replace=False)))
        for file, count in counts.items()
        if count
    ]


def _equations(file: Path, shard: Shard) -> tuple[System, Observation]:
    """The system of a shard, and what is observed of it. Raises FormatError, or TrajstoreError if it was measured."""
    described = json_attribute(shard.attributes, "system", file)
    if "equations" not in described:
        raise TrajstoreError(
            f"{file}: was measured and has no equations to integrate; verify it without --reintegrate"
        )
    try:
        system = System.from_dict(described)
        check_diagnostics([name for name in DIAGNOSTICS if name in shard.optional], system)
    except TrajstoreError as error:
        raise FormatError(f"{file}: {error}") from None
    return system, _observation(file, system, shard)


def _few_at_once(shard: Shard, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of a shard, so many that memory stays bounded."""
    numbers = len(shard.time) * shard.initial_state.shape[1] * (SAMPLES + 4)
    count = max(1, AT_ONCE // max(numbers, 1))
    for first in range(0, len(rows), count):
        yield rows[first : first + count]


def _needs_samples(shard: Shard) -> bool:
    """Is anything stored that follows from all components together?"""
    return DERIVATIVE in shard.optional or ENERGY_DRIFT in shard.optional


def _observation(file: Path, system: System, shard: Shard) -> Observation:
    """The config's [observation], of which all can be repeated."""
    config = json.loads(str(shard.attributes["config"]))
    try:
        observation = Observation.of(config)
        observation.check(system)
    except TrajstoreError as error:
        raise FormatError(f"{file}: {error}") from None
    if "derived" in config and observation.noise is not None and not observation.clean:
        raise TrajstoreError(
            f"{file}: has noise that cannot be drawn again, for its rows were taken from another dataset; verify "
            "that one with --reintegrate, or keep the clean states"
        )
    return observation
