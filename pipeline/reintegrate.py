"""Do the stored states follow from the stored equations? Integrate rows again, with the other engine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..data.errors import FormatError, TrajstoreError
from ..data.format import Status
from ..data.grid import initial_time
from ..data.manifest import load_manifest
from ..data.shard import Shard, read_shard
from ..data.structure import json_attribute
from ..data.verification import choose_shards
from .engines import Engine, EngineSettings, make_engine
from .observation import Observation
from .systems import System

REFERENCE_TOLERANCE = 1e-12
# A global error may be this many times the local tolerance before sensitivity is counted.
SAFETY = 1000.0
# Relative size of the perturbation that measures how the flow magnifies errors.
PERTURBATION = 1e-8
# After so many steps an explicit method is at a stiff row, which LSODA takes over.
EXPLICIT_STEPS = 2_000
# SciPy's methods cannot slide along a jump; for rows that do, Taylor series of this tolerance check themselves.
OTHER_TOLERANCE = 1e-13
# Of many components those that decay fast bound an explicit step, but the algebra of an implicit one costs more.
FIELD_STEPS = 20_000


@dataclass(frozen=True)
class Reintegration:
    """Rows integrated again, the engine used, the largest deviation found, a line for each row that is off."""

    rows: int
    engine: str
    largest: float
    problems: list[str]


def reintegrate(path: Path, rows: int, seed: int = 0, shards: slice | None = None) -> Reintegration:
    """Compare rows, drawn over all (or these) shards of a dataset folder or from one file, with the equations inside.

    A deviation is judged against what both solvers may err: their tolerances times the growth of a small
    perturbation along that very trajectory, the rounding of the stored dtype and, for linear resampling, the
    sagitta of the longest step. Raises FormatError if the path is no dataset.
    """
    largest, problems, checked, names = 0.0, [], 0, set()
    for file, chosen in _draw(path, rows, seed, shards):
        shard = read_shard(file)
        described = json_attribute(shard.attributes, "system", file)
        if "equations" not in described:
            raise TrajstoreError(
                f"{file}: was measured and has no equations to integrate; verify it without --reintegrate"
            )
        try:
            system = System.from_dict(described)
        except TrajstoreError as error:
            raise FormatError(f"{file}: {error}") from None
        stored = json_attribute(shard.attributes, "engine", file)
        solved = _reference(system, stored, shard, chosen)
        names.add(solved.engine)
        deviation, off = _compare(
            shard, chosen, stored, solved, _expected(file, system, shard, chosen, solved)
        )
        largest = max(largest, deviation)
        problems += [f"{file.name}: row {shard.trajectory[row]}: {what}" for row, what in off]
        checked += len(chosen)
    return Reintegration(checked, ", ".join(sorted(names)), largest, problems)


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


@dataclass(frozen=True)
class _Solved:
    engine: str
    states: np.ndarray
    perturbed: np.ndarray
    parameters: np.ndarray
    status: np.ndarray


# For each stored variable of the trajectories' size what it should be, and from slightly other initial states.
_Expected = dict[str, tuple[np.ndarray, np.ndarray]]


def _reference(system: System, stored: dict[str, Any], shard: Shard, rows: np.ndarray) -> _Solved:
    """The rows, and the same with slightly other initial states, by the engine that did not make them."""
    starts = shard.initial_state[rows]
    scale = 1.0 + np.abs(starts).max(axis=1, keepdims=True)
    # Of random signs: a shift of all components alike is a symmetry of some systems, and does not grow.
    signs = 2 * np.random.default_rng(0).integers(0, 2, starts.shape[1]) - 1
    both = np.concatenate([starts, starts + PERTURBATION * scale * signs])
    times, before = _times_from_start(shard)
    missing = [name for name in system.parameters if name not in shard.parameters]
    if missing:
        raise FormatError(f"no variable for the parameters {', '.join(missing)} of the stored equations")
    parameters = np.empty((len(rows), len(system.parameters)))
    for column, name in enumerate(system.parameters):
        parameters[:, column] = shard.parameters[name][rows]
    parameters = np.concatenate([parameters, parameters])
    engine, other = _other_engine(system, str(stored.get("name")))
    solution = engine.solve(both, parameters, times)
    name = engine.describe()["method"]
    stiff = solution.status == Status.STEP_LIMIT
    if other is not None and stiff.any():
        again = other.solve(both[stiff], parameters[stiff], times)
        solution.states[stiff], solution.status[stiff] = again.states, again.status
        name += " and " + other.describe()["method"]
    n, states = len(rows), solution.states[:, before:]
    return _Solved(name, states[:n], states[n:], parameters[:n], solution.status[:n])


def _expected(file: Path, system: System, shard: Shard, rows: np.ndarray, solved: _Solved) -> _Expected:
    """What is stored of these rows if they are as the equations and the config's [observation] say."""
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
    derived = "derived" in config
    if derived and observation.noise is not None and not observation.clean:
        raise TrajstoreError(
            f"{file}: has noise that cannot be drawn again, for its rows were taken from another dataset; verify "
            "that one with --reintegrate, or keep the clean states"
        )
    place = (int(shard.attributes["seed"]), str(shard.attributes["split"]), shard.trajectory[rows])
    both = [
        observation.observe(system, *place, states, solved.parameters, shard.time)
        for states in (solved.states, solved.perturbed)
    ]
    expected = {name: (both[0].beside[name], both[1].beside[name]) for name in both[0].beside}
    if not derived or observation.noise is None:
        expected["state"] = (both[0].state, both[1].state)
    return expected


def _times_from_start(shard: Shard) -> tuple[np.ndarray, int]:
    """The grid, with the time of the initial states before it where it begins later, and how many that adds."""
    grid = json.loads(str(shard.attributes["config"])).get("grid", {})
    start = initial_time(grid)
    if start < shard.time[0]:
        return np.concatenate([[start], shard.time]), 1
    return shard.time, 0


def _other_engine(system: System, stored: str) -> tuple[Engine, Engine | None]:
    """An engine, and one for the rows that are too stiff for it."""
    if stored == "scipy":
        settings = EngineSettings().resolve(system=system)
        if settings.name != "scipy":
            return make_engine(system, settings), None
    limit = EXPLICIT_STEPS if system.kind == System.kind else FIELD_STEPS
    explicit = EngineSettings(name="scipy", tolerance=REFERENCE_TOLERANCE, max_steps=limit)
    if stored == "heyoka" and not system.smooth:
        return make_engine(system, explicit), make_engine(
            system, EngineSettings(name=stored, tolerance=OTHER_TOLERANCE)
        )
    stiff = EngineSettings(name="scipy", method="LSODA", tolerance=REFERENCE_TOLERANCE)
    return make_engine(system, explicit), make_engine(system, stiff)


def _compare(
    shard: Shard, rows: np.ndarray, stored: dict[str, Any], solved: _Solved, expected: _Expected
) -> tuple[float, list[tuple[int, str]]]:
    """The largest deviation of a sound row's states, and (row, what is wrong) for each row that is off."""
    off: list[tuple[int, str]] = []
    largest = 0.0
    tolerances = [stored.get("tolerance"), stored.get("absolute_tolerance"), REFERENCE_TOLERANCE]
    tolerance = max(value for value in tolerances if isinstance(value, int | float))
    largest_stored = np.finfo(shard.state.dtype).max
    for index, row in enumerate(rows):
        failed = shard.status[row] != Status.OK
        # Beyond the range of the stored type, too, a row has failed, and where it is not a number.
        fails = solved.status[index] != Status.OK or not all(
            np.abs(values[index]).max() <= largest_stored for values, _ in expected.values()
        )
        if failed and not fails and "state" not in expected:
            # It may be the noise, which is not known, that was beyond it.
            continue
        if failed != fails:
            said, found = ("failed", "does not fail") if failed else ("sound", "fails")
            off.append((row, f"is stored as {said}, but {found} when integrated again"))
        if failed or fails:
            continue
        for name, (values, perturbed) in expected.items():
            what = "the states" if name == "state" else name
            found = np.asarray(shard.variables[name])[row].astype(np.float64)
            deviation = np.abs(found - values[index]).max(axis=1)
            allowed = _allowed(shard, stored, tolerance, values[index], perturbed[index])
            largest = max(largest, float(deviation.max()))
            worst = int(np.argmax(deviation / allowed))
            if not deviation[worst] <= allowed[worst]:
                off.append(
                    (
                        row,
                        f"off by {deviation[worst]:.1e} at time {shard.time[worst]:.6g}, allowed are "
                        f"{allowed[worst]:.1e}: {what} do not follow from the equations",
                    )
                )
    return largest, off


def _allowed(
    shard: Shard, stored: dict[str, Any], tolerance: float, expected: np.ndarray, perturbed: np.ndarray
) -> np.ndarray:
    """How far a row (T, D) may be from what is expected, at each time."""
    scale = 1.0 + np.abs(expected).max()
    growth = np.abs(perturbed - expected).max(axis=1) / PERTURBATION
    # Where the perturbed row fails, nothing can be said.
    growth[np.isnan(growth)] = np.inf
    allowed = SAFETY * tolerance * (scale + np.maximum.accumulate(growth))
    allowed += np.finfo(shard.state.dtype).eps * scale
    if shard.attributes["resampling"] == "linear":
        step = stored.get("max_step")
        step = float(step if isinstance(step, int | float) else shard.time[-1])
        curvature = np.gradient(np.gradient(expected, shard.time, axis=0), shard.time, axis=0)
        allowed = allowed + step**2 / 4 * np.abs(curvature).max()
    return allowed
