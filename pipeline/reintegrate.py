"""Do the stored states follow from the stored equations? Integrate rows again, with the other engine."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..data.errors import FormatError, TrajstoreError
from ..data.finding import Finding
from ..data.format import DIAGNOSTICS, Status
from ..data.manifest import load_manifest
from ..data.shard import Shard, read_shard
from ..data.structure import json_attribute
from ..data.verification import choose_shards
from .diagnostics import check_diagnostics
from .engines.engine import revision_of
from .observation import Observation
from .reference import PERTURBATION, REFERENCE_TOLERANCE, Reference, integrate_again, too_far
from .remeasure import drift_problems, status_with_diagnostics
from .systems import System

# A global error may be this many times the local tolerance before sensitivity is counted.
SAFETY = 1000.0
# And rounding of the state that a piece begins with may grow so many times faster than the perturbation does.
DIRECTIONS = 30.0
# A perturbation that shrinks to less than this part of itself says nothing of how other errors grow from there.
SHRUNK = 0.01


@dataclass(frozen=True)
class Reintegration:
    """What came of it.

    rows      how many were integrated again
    engine    names of the methods
    largest   deviation of a row, in the units of the states
    share     the largest deviation, as a share of what is allowed there
    lost      rows of which later states could not be compared, for chaos hides them
    problems  a line for each row that is off
    """

    rows: int
    engine: str
    largest: float
    share: float
    lost: int
    problems: list[Finding]

    def facts(self) -> dict[str, Any]:
        """JSON-ready, but for the problems."""
        return {key: value for key, value in asdict(self).items() if key != "problems"}

    def remark(self) -> str:
        """The same in words."""
        said = (
            f"{self.rows} rows integrated again by {self.engine}, largest deviation {self.largest:.1e}, "
            f"{self.share:.2g} of what is allowed"
        )
        if self.lost:
            said += (
                f"; chaos hides later states of {self.lost} rows, which are partial, noisy or approximate, so "
                "that nothing can be integrated from them"
            )
        return said


def reintegrate(path: str | Path, rows: int, seed: int = 0, shards: slice | None = None) -> Reintegration:
    """Compare rows, drawn over all (or these) shards of a dataset folder or from one file, with the equations inside.

    A deviation is judged against what both solvers may err: their tolerances times the growth of a small
    perturbation along that very trajectory, the rounding of the stored dtype and, for linear resampling, the
    sagitta of the longest step. Once a chaotic row has magnified the perturbation too much, it is followed from
    stored state to stored state, if all of its states are stored without noise. The drift of the energy is measured
    again, see `remeasure`. Raises FormatError if the path is no dataset.
    """
    judged, problems, checked, names = [_Judged()], [], 0, set()
    for file, chosen in _draw(Path(path), rows, seed, shards):
        shard = read_shard(file)
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
        stored = json_attribute(shard.attributes, "engine", file)
        observation = _observation(file, system, shard)
        solved = integrate_again(system, observation, stored, shard, chosen)
        solved = replace(solved, status=status_with_diagnostics(shard, chosen, system, solved))
        names.add(solved.engine)
        expected = _expected(system, observation, shard, chosen, solved)
        relative = observation.noise is not None and observation.noise.relative is not None
        for index, row in enumerate(chosen):
            found = _judge(shard, row, stored, solved, index, expected, relative_noise=relative)
            judged.append(found)
            if found.wrong:
                problems.append(Finding(file.name, f"row {shard.trajectory[row]}: {found.wrong}"))
        errors = np.full(len(chosen), SAFETY * _tolerance(stored))
        errors[list(solved.restarts)] += DIRECTIONS * np.finfo(shard.state.dtype).eps
        for row, wrong in drift_problems(shard, chosen, system, solved, errors):
            problems.append(Finding(file.name, f"row {shard.trajectory[row]}: {wrong}"))
        checked += len(chosen)
    return Reintegration(
        checked,
        ", ".join(sorted(names)),
        max(found.largest for found in judged),
        max(found.share for found in judged),
        sum(found.lost for found in judged),
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


# For each stored variable of the trajectories' size what it should be, and from slightly other initial states.
_Expected = dict[str, tuple[np.ndarray, np.ndarray]]


def _observation(file: Path, system: System, shard: Shard) -> Observation:
    """The config's [observation], of which all can be repeated."""
    config = json.loads(str(shard.attributes["config"]))
    try:
        observation = Observation.model_validate(config.get("observation", {}))
        observation.check(system)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("observation", *first["loc"])))
        raise FormatError(f"{file}: {key}: {first['msg']}, got {first['input']!r:.80}") from None
    except TrajstoreError as error:
        raise FormatError(f"{file}: {error}") from None
    if "derived" in config and observation.noise is not None and not observation.clean:
        raise TrajstoreError(
            f"{file}: has noise that cannot be drawn again, for its rows were taken from another dataset; verify "
            "that one with --reintegrate, or keep the clean states"
        )
    return observation


def _expected(
    system: System, observation: Observation, shard: Shard, rows: np.ndarray, solved: Reference
) -> _Expected:
    """What is stored of these rows if they are as the equations and the config's [observation] say."""
    derived = "derived" in json.loads(str(shard.attributes["config"]))
    place = (int(shard.attributes["seed"]), str(shard.attributes["split"]), shard.trajectory[rows])
    revision = revision_of(json.loads(str(shard.attributes["engine"])))
    both = [
        observation.observe(system, *place, states, solved.parameters, shard.time, revision)
        for states in (solved.states, solved.perturbed)
    ]
    expected = {name: (both[0].beside[name], both[1].beside[name]) for name in both[0].beside}
    if not derived or observation.noise is None:
        expected["state"] = (both[0].state, both[1].state)
    return expected


@dataclass(frozen=True)
class _Judged:
    """Of one row the largest deviation, this as a share of what is allowed, what is lost to chaos, what is wrong."""

    largest: float = 0.0
    share: float = 0.0
    lost: bool = False
    wrong: str = ""


def _judge(
    shard: Shard,
    row: int,
    stored: dict[str, Any],
    solved: Reference,
    index: int,
    expected: _Expected,
    *,
    relative_noise: bool = False,
) -> _Judged:
    """A row of the shard beside the one of this index in the reference."""
    failed = bool(shard.status[row] != Status.OK)
    # Beyond the range of the stored type, too, a row has failed, and where it is not a number.
    largest_stored = np.finfo(shard.state.dtype).max
    fails = solved.status[index] != Status.OK or not all(
        np.abs(values[index]).max() <= largest_stored for values, _ in expected.values()
    )
    if failed and not fails and "state" not in expected:
        # It may be the noise, which is not known, that was beyond it.
        return _Judged()
    if failed != fails:
        said, found = ("failed", "does not fail") if failed else ("sound", "fails")
        return _Judged(wrong=f"is stored as {said}, but {found} when integrated again")
    if failed:
        return _Judged()
    largest, share, wrong, lost = 0.0, 0.0, "", False
    for name, (values, perturbed) in expected.items():
        found = np.asarray(shard.variables[name])[row].astype(np.float64)
        allowed = _allowed(shard, stored, values[index], perturbed[index], solved.restarts.get(index, []))
        lost |= bool(np.isinf(allowed).any())
        followed = np.isfinite(allowed)
        if name == "state" and lost and relative_noise:
            # Its size is a share of the spread of all states of the row, known and unknown.
            followed[:] = False
        if not followed.any():
            continue
        deviation, allowed = np.abs(found - values[index]).max(axis=1)[followed], allowed[followed]
        worst = int(np.argmax(deviation / allowed))
        largest, share = max(largest, deviation.max()), max(share, deviation[worst] / allowed[worst])
        if not wrong and not deviation[worst] <= allowed[worst]:
            what = "the states" if name == "state" else name
            time = shard.time[followed][worst]
            wrong = (
                f"off by {deviation[worst]:.1e} at time {time:.6g}, allowed are {allowed[worst]:.1e}: "
                f"{what} do not follow from the equations"
            )
    return _Judged(float(largest), float(share), lost, wrong)


def _tolerance(stored: dict[str, Any]) -> float:
    """That of the looser one of the two solvers."""
    tolerances = [stored.get("tolerance"), stored.get("absolute_tolerance"), REFERENCE_TOLERANCE]
    return max(value for value in tolerances if isinstance(value, int | float))


def _grown(distance: np.ndarray) -> np.ndarray:
    """How far (T,) errors of size 1 that are made at any time may have grown, by that of a perturbation."""
    # What shrinks at first and then grows is no better than what only grows: an error may be made in between.
    first = distance[0] if 0 < distance[0] < np.inf else 1.0
    shrunk = np.clip(np.minimum.accumulate(distance) / first, SHRUNK, 1.0)
    return np.maximum.accumulate(distance / shrunk)


def _allowed(
    shard: Shard, stored: dict[str, Any], expected: np.ndarray, perturbed: np.ndarray, restarts: list[int]
) -> np.ndarray:
    """How far a row (T, D) may be from what is expected, at each time; infinite where nothing can be said.

    restarts  places in time after which the row follows from what is stored there
    """
    tolerance = SAFETY * _tolerance(stored)
    rounding = np.finfo(shard.state.dtype).eps
    scale = 1.0 + np.abs(expected).max()
    growth = np.abs(perturbed - expected).max(axis=1) / PERTURBATION
    growth[too_far(expected, perturbed)] = np.inf
    pieces = np.split(growth, [place + 1 for place in restarts])
    grown = np.concatenate([_grown(piece) for piece in pieces])
    # What a piece begins with was rounded when it was stored.
    begins = restarts[0] + 1 if restarts else len(grown)
    allowed = tolerance * (scale + grown) + rounding * scale
    allowed[begins:] += DIRECTIONS * rounding * grown[begins:]
    if shard.attributes["resampling"] == "linear":
        step = stored.get("max_step")
        step = float(step if isinstance(step, int | float) else shard.time[-1])
        curvature = np.gradient(np.gradient(expected, shard.time, axis=0), shard.time, axis=0)
        allowed = allowed + step**2 / 4 * np.abs(curvature).max()
    return allowed
