"""Equations -> dataset: plan, integrate shard by shard in parallel, write the manifest last."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from ..data.errors import FormatError, TrajstoreError
from ..data.files import LOCK, final_name, remove_leftovers
from ..data.format import SPLITS, shard_name
from ..data.hashing import canonical_json, file_hash, json_hash
from ..data.manifest import CHECKSUMS, MANIFEST, Manifest, load_if_present
from ..data.shard import Shard, ShardRecord, inspect_shard, read_attributes, write_shard
from ..data.structure import open_shard, values
from .config import Experiment
from .engines import Engine, make_engine
from .engines.engine import blank_failed
from .locking import locked
from .plan import ShardPlan, make_plan
from .progress import Busy, Counters, CountersProgress
from .provenance import software
from .sampling import initial_states

# Attributes that name versions of software, which may change between two runs of the same config.
VERSIONED = ("software", "engine")


@dataclass(frozen=True)
class Summary:
    """What `generate` did: the manifest, shards reused and written, rows integrated, seconds."""

    manifest: Manifest
    reused: int
    written: int
    rows: int
    seconds: float


def generate(
    config: Experiment,
    folder: Path,
    jobs: int | None = None,
    *,
    overwrite: bool = False,
    console: Console | None = None,
) -> Summary:
    """Make the dataset of a config in a folder, or what is missing of it.

    jobs       shards worked on at once; None is one a core
    overwrite  throw away a dataset of another config that the folder holds
    console    where progress is shown; None shows none

    The same config gives the same bytes, whatever `jobs`. Raises TrajstoreError if the folder holds anything
    else, or another process works in it, or the disk refuses.
    """
    begin = perf_counter()
    with locked(folder):
        plans = make_plan(config)
        _check_folder(folder, config, plans, overwrite)
        remove_leftovers(folder, _is_part)
        total = sum(plan.rows for plan in plans)
        engine = make_engine(config.dynamics, config.engine, config.grid.resample, total)
        attributes = _shared_attributes(config, engine)
        manifest = load_if_present(folder)
        records = _reusable(folder, plans, manifest, attributes)
        missing = [plan for plan in plans if plan.file not in records]
        _retire_manifest(folder, manifest, missing)
        try:
            written = _make_shards(config, engine, attributes, folder, missing, jobs or cpu_count(), console)
            records |= written
            system = config.dynamics
            manifest = Manifest.of(
                config.generation(),
                system.to_dict(),
                list(system.states),
                {split: [records[plan.file] for plan in plans if plan.split == split] for split in SPLITS},
            )
            manifest.save(folder)
            # A worker that outlived a killed parent may have begun a file since.
            remove_leftovers(folder, _is_part)
        except KeyboardInterrupt:
            # Of workers that were ended in the middle of a file.
            remove_leftovers(folder, _is_part)
            raise
        except TerminatedWorkerError:
            raise TrajstoreError(
                f"{folder}: a worker process was killed, perhaps for want of memory. Finished shards are kept: "
                "run the same command again to go on, perhaps with fewer --jobs or smaller dataset.shard_rows."
            ) from None
        except OSError as error:
            raise TrajstoreError(
                f"{folder}: cannot be written ({error.strerror or error}). Finished shards are kept: mend the "
                "cause and run the same command again to go on."
            ) from None
    rows = sum(plan.rows for plan in missing)
    return Summary(manifest, len(plans) - len(missing), len(missing), rows, perf_counter() - begin)


def integrate_rows(
    config: Experiment, engine: Engine, plan: ShardPlan, report: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Initial states (N, D), parameters (N, P), states (N, T, D) and status (N,) of a planned shard."""
    system = config.dynamics
    boxes = list(system.initial_state.values())
    starts = initial_states(
        boxes, config.dataset.seed, plan.split, plan.first_row, plan.first_row + plan.rows
    )
    parameters = np.tile(np.array(system.defaults), (plan.rows, 1))
    solution = engine.solve(starts, parameters, config.grid.times, report)
    return starts, parameters, solution.states, solution.status


def _make_shards(
    config: Experiment,
    engine: Engine,
    attributes: dict[str, str | int],
    folder: Path,
    plans: list[ShardPlan],
    jobs: int,
    console: Console | None,
) -> dict[str, ShardRecord]:
    """Integrate and write these shards, in parallel; the records by file name."""
    if not plans:
        return {}
    records = {}
    with Counters(len(plans)) as counters:
        total = sum(plan.rows for plan in plans)
        busy = Busy() if engine.threads else nullcontext()
        work = partial(_make_shard, config, engine, folder, attributes, counters.path)
        make = delayed(partial(_within, busy, work))
        parallel = Parallel(
            n_jobs=min(jobs, len(plans)),
            backend="threading" if engine.threads else "loky",
            return_as="generator_unordered",
            pre_dispatch="n_jobs",
        )
        progress = CountersProgress(
            counters, "integrate", total, "rows", console or Console(quiet=True, stderr=True)
        )
        with progress:
            try:
                for record in parallel(make(index, plan) for index, plan in enumerate(plans)) or ():
                    if record is not None:
                        records[record.file] = record
            except BaseException:
                counters.stop()
                if isinstance(busy, Busy):
                    busy.wait()
                raise
    return records


def _within(
    busy: AbstractContextManager[None],
    work: Callable[[int, ShardPlan], ShardRecord],
    index: int,
    plan: ShardPlan,
) -> ShardRecord:
    with busy:
        return work(index, plan)


def _make_shard(
    config: Experiment,
    engine: Engine,
    folder: Path,
    attributes: dict[str, str | int],
    counters: Path,
    index: int,
    plan: ShardPlan,
) -> ShardRecord:
    """The work of one worker: integrate the rows of a shard and write its file."""
    report = partial(Counters.report, counters, index)
    starts, parameters, states, status = integrate_rows(config, engine, plan, report)
    system = config.dynamics
    with np.errstate(over="ignore"):
        # What is beyond the stored type's range has diverged, too.
        stored = blank_failed(states.astype(config.dataset.dtype, copy=False), status)
    shard = Shard(
        state=stored.states,
        time=config.grid.times,
        components=system.states,
        trajectory=np.arange(plan.first_row, plan.first_row + plan.rows),
        initial_state=starts,
        parameters={
            name: np.ascontiguousarray(parameters[:, column]) for column, name in enumerate(system.parameters)
        },
        status=stored.status,
        attributes={**attributes, "split": plan.split, "first_row": plan.first_row},
        units={
            "time": system.time_unit,
            **{name: parameter.unit for name, parameter in system.parameters.items()},
        },
    )
    report(plan.rows)
    compression = None if config.dataset.compression == "none" else config.dataset.compression
    return write_shard(folder / plan.file, shard, compression)


def _shared_attributes(config: Experiment, engine: Engine) -> dict[str, str | int]:
    recipe = config.recipe()
    return {
        "title": recipe["dataset"]["title"],
        "license": config.dataset.license,
        "creator": config.dataset.creator,
        "system_name": config.dynamics.name,
        "system": canonical_json(config.dynamics.to_dict()),
        "engine": canonical_json(engine.describe()),
        "resampling": config.grid.resample,
        "seed": config.dataset.seed,
        "config": canonical_json(recipe),
        "config_hash": json_hash(recipe),
        "software": canonical_json(software()),
    }


def _reusable(
    folder: Path, plans: list[ShardPlan], manifest: Manifest | None, attributes: dict[str, str | int]
) -> dict[str, ShardRecord]:
    """Records of the planned shards that are already there and right, by file name.

    A shard that the manifest knows is right if its SHA-256 is the manifest's; one that it does not (of a run
    that was killed) if its attributes are the plan's and its content has the hash that it states.
    """
    known = {record.file: record for record in manifest.shards} if manifest else {}
    right = {}
    for plan in plans:
        path = folder / plan.file
        record = known.get(plan.file)
        if record is None:
            record = _self_check(path, {**attributes, "split": plan.split, "first_row": plan.first_row})
        elif not path.is_file() or file_hash(path) != record.sha256:
            continue
        if record is not None and (record.first_row, record.rows) == (plan.first_row, plan.rows):
            right[plan.file] = record
    return right


def _self_check(path: Path, expected: dict[str, str | int]) -> ShardRecord | None:
    """The record of a shard that is what it should be, as far as it can tell by itself."""
    try:
        record, shard = inspect_shard(path)
    except FormatError:
        return None
    attributes = shard.attributes
    # Another version of the software may have begun the dataset.
    same = all(attributes[name] == value for name, value in expected.items() if name not in VERSIONED)
    return record if same and attributes["content_hash"] == record.content_hash else None


def _retire_manifest(folder: Path, manifest: Manifest | None, missing: list[ShardPlan]) -> None:
    """Remove a manifest that the next shard would make untrue: while a dataset grows, it is none."""
    known = {record.file: record.rows for record in manifest.shards} if manifest else {}
    if any(known.get(plan.file, plan.rows) != plan.rows for plan in missing):
        (folder / MANIFEST).unlink()


def _check_folder(folder: Path, config: Experiment, plans: list[ShardPlan], overwrite: bool) -> None:
    """Refuse a folder that holds something else; with `overwrite`, clear another config's dataset away."""
    planned = {plan.file: plan for plan in plans}
    recipe_hash = json_hash(config.recipe())
    stale = []
    reason = "the dataset of another config"
    for path in sorted(folder.iterdir()):
        plan = planned.get(path.name)
        if plan is not None:
            if _other_config(path, recipe_hash):
                stale.append(path)
            elif _rows(path, plan) > plan.rows:
                stale.append(path)
                reason = "more rows than this config asks for"
        elif _is_shard_name(path.name):
            stale.append(path)
            if not _other_config(path, recipe_hash):
                reason = "more rows than this config asks for"
        elif path.name != LOCK and not _is_part(final_name(path.name)):
            raise TrajstoreError(
                f"{folder}: holds {path.name}, which is no part of a dataset; choose an empty or new folder"
            )
    if stale and not overwrite:
        raise TrajstoreError(
            f"{folder}: holds {reason} (see {stale[0].name}); choose another folder, or throw that away with "
            "--overwrite"
        )
    if stale:
        (folder / MANIFEST).unlink(missing_ok=True)
    for path in stale:
        path.unlink()


def _other_config(path: Path, recipe_hash: str) -> bool:
    """Is it a sound shard of another config? A damaged one is not: it is simply made again."""
    try:
        with open_shard(path) as file:
            return read_attributes(file)["config_hash"] != recipe_hash
    except FormatError:
        return False


def _rows(path: Path, plan: ShardPlan) -> int:
    """Rows of a shard; none of a damaged one, or one that belongs elsewhere."""
    try:
        with open_shard(path) as file:
            attributes = read_attributes(file)
            there = (attributes["split"], attributes["first_row"]) == (plan.split, plan.first_row)
            return len(values(file, "status")) if there else 0
    except FormatError:
        return 0


def _is_part(name: str) -> bool:
    """Is it the name of a part of a dataset?"""
    return name in (MANIFEST, CHECKSUMS) or _is_shard_name(name)


def _is_shard_name(name: str) -> bool:
    split, _, number = name.removesuffix(".h5").rpartition("-")
    return split in SPLITS and number.isdigit() and name == shard_name(split, int(number))
