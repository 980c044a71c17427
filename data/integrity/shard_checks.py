"""What is wrong with one shard: with what it says of itself, and beside what the manifest says of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..base.errors import FormatError
from ..base.hashing import content_hash, json_hash
from ..folder.names import MANIFEST
from ..folder.stated_grid import diagnosed, grid_of, increases, initial_time, is_grid
from ..folder.stated_observation import observed
from ..shard.schema import (
    CLEAN_STATE,
    DELAY_KIND,
    DELAYED,
    DIAGNOSTICS,
    ENERGY_DRIFT,
    ORIGIN,
    SYSTEM_STATE,
    Status,
    mentions_delay,
)
from ..shard.shard import Shard, ShardRecord, read_shard, record_of

# What the manifest keeps of a shard, beside its name and first row.
RECORDED = {
    "rows": "number of rows",
    "failed": "number of failed rows",
    "bytes": "size",
    "sha256": "SHA-256",
    "content_hash": "content hash",
}


def file_problems(path: Path) -> Iterator[str]:
    """What is wrong with one shard by itself. Raises FormatError if it is none."""
    shard = read_shard(path)
    yield from _shard_problems(shard, content_hash(shard.variables))


def recorded_problems(
    path: Path, split: str, record: ShardRecord, components: list[str], config_hash: str
) -> Iterator[str]:
    """What is wrong with a shard that a manifest lists. Raises FormatError if it cannot be read.

    split, record  where the manifest lists it, and as what
    config_hash    of the dataset's config without the sizes of splits
    """
    shard = read_shard(path)
    found = record_of(path, shard, record.file, content_hash(shard.variables))
    for field, said in RECORDED.items():
        if getattr(found, field) != getattr(record, field):
            yield f"{said} differs from {MANIFEST}: the file was changed, or the manifest edited"
    if not found.statistics.agrees(record.statistics):
        yield f"statistics differ from {MANIFEST}: the file was changed, or the manifest edited"
    yield from _shard_problems(shard, found.content_hash)
    if (shard.attributes["split"], found.first_row) != (split, record.first_row):
        holds = f"{shard.attributes['split']} from {found.first_row}"
        yield f"holds rows of {holds}, expected rows of {split} from {record.first_row}"
    if shard.attributes["config_hash"] != config_hash:
        yield "comes from another config than the dataset's"
    if list(shard.components) != components:
        yield f"components are {', '.join(shard.components)}, expected {', '.join(components)}"


def _shard_problems(shard: Shard, content: str) -> Iterator[str]:
    """How a shard, whose content has this hash, contradicts itself."""
    if content != shard.attributes["content_hash"]:
        yield "content hash differs from the one it states: numbers were changed"
    yield from _config_problems(shard)
    told = [name for name in ORIGIN if name in shard.optional]
    if told and len(told) < len(ORIGIN):
        yield f"has only {', '.join(told)} of {', '.join(ORIGIN)}"
    first = int(shard.attributes["first_row"])
    if not np.array_equal(shard.trajectory, np.arange(len(shard.trajectory)) + first):
        yield f"trajectory does not count from first_row {first}"
    if not increases(shard.time):
        yield "the times do not increase"
    sound = shard.status == Status.OK
    for name, values in shard.over_time.items():
        where = "" if name == "state" else f"{name}: "
        if not np.isfinite(values[sound]).all():
            yield f"{where}rows whose status is ok hold values that are not finite"
        if not np.isnan(values[~sound]).all():
            yield f"{where}rows whose status is not ok hold values; expected NaN"
    yield from _diagnostic_problems(shard, sound)
    if not np.isin(shard.status, list(Status)).all():
        yield "status has values without a meaning"


def _diagnostic_problems(shard: Shard, sound: np.ndarray) -> Iterator[str]:
    """Whether a diagnostic is a number in sound rows, and NaN in others; which number, nobody knows here."""
    for name in DIAGNOSTICS:
        values = shard.optional.get(name)
        if values is None:
            continue
        # A drift is infinite where the energy was 0 at the start.
        right, expected = (
            (values >= 0, "expected numbers of 0 or above")
            if name == ENERGY_DRIFT
            else (np.isfinite(values), "expected finite numbers")
        )
        if not right[sound].all():
            row = int(np.flatnonzero(sound & ~right)[0])
            yield f"{name}: row {shard.trajectory[row]}, whose status is ok, holds {values[row]:g}; {expected}"
        if not np.isnan(values[~sound]).all():
            yield f"{name}: rows whose status is not ok hold values; expected NaN"


def _config_problems(shard: Shard) -> Iterator[str]:
    """How a shard's numbers and attributes contradict the config that it carries."""
    try:
        config = json.loads(str(shard.attributes["config"]))
        grid, dataset = grid_of(config, str(shard.attributes["split"])), config["dataset"]
        seed, dtype = dataset["seed"], dataset["dtype"]
        on_grid, first = is_grid(shard.time, grid), initial_time(grid)
        system = json.loads(str(shard.attributes["system"]))
        hashed = json_hash(config)
        if not isinstance(system, dict) or not isinstance(system.get("kind", ""), str):
            raise TypeError
        seen = observed(config)
        if set(seen.kept) & set(DIAGNOSTICS):
            diagnosed(grid)
    except FormatError as error:
        yield f"its config is none that trajstore writes: {error}"
        return
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError):
        yield "attribute config or system holds no config or system"
        return
    states = list(shard.components) if seen.states is None else seen.states
    equations = system.get("equations")
    if (system.get("kind") == DELAY_KIND) != (isinstance(equations, dict) and mentions_delay(equations)):
        yield f'the kind of the system is "{DELAY_KIND}" and no equation calls {DELAYED}, or the reverse'
    if hashed != shard.attributes["config_hash"]:
        yield "config and config_hash do not agree: edited"
    if not on_grid:
        yield "the time grid is not the config's"
    elif first == shard.time[0]:
        yield from _start_problems(shard, seen.observation.noise is not None)
    elif not first < shard.time[0]:
        yield f"the grid begins at {shard.time[0]:g}, before the initial states at {first:g}"
    if system != config.get("system"):
        yield "the system is not the config's: other equations or parameters"
    elif list(shard.components) != (seen.observation.components or states):
        yield f"components are {', '.join(shard.components)}, those of the system are not"
    elif list(shard.system_states) != (states if seen.observation.components else []):
        yield f"{SYSTEM_STATE} does not name the states of the system, of which some are observed"
    if (found := set(shard.optional) - set(ORIGIN)) != set(seen.kept):
        yield f"holds {', '.join(sorted(found)) or 'no'} variables beside the states, its config asks for others"
    for name, values in shard.over_time.items():
        if values.dtype.name != dtype:
            what = "the states are" if name == "state" else f"{name} is"
            yield f"{what} {values.dtype.name}, the config says {dtype!s:.80}"
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        yield f"the seed is {seed!r:.80}, expected an integer from 0 to 2**63 - 1"
    elif seed != shard.attributes["seed"]:
        yield f"the seed is {shard.attributes['seed']}, the config's is {seed}"
    if shard.attributes["resampling"] != grid.get("resample"):
        yield f"the resampling is {shard.attributes['resampling']!r}, the config's is {grid.get('resample')!r}"


def _start_problems(shard: Shard, noise: bool) -> Iterator[str]:
    """Of a grid that begins with the initial states; nothing can be said of noise alone."""
    clean = shard.optional.get(CLEAN_STATE) if noise else shard.state
    if clean is None:
        return
    sound = shard.status == Status.OK
    names = shard.system_states or shard.components
    columns = [names.index(name) for name in shard.components if name in names]
    with np.errstate(over="ignore"):
        starts = shard.initial_state[:, columns].astype(clean.dtype)
    if not np.array_equal(clean[sound, 0], starts[sound]):
        yield "states at the first time are not the initial states"
