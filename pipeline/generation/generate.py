"""Equations -> dataset: plan, integrate shard by shard in parallel, write the manifest last."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from time import perf_counter

from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from ...data.base.errors import TrajstoreError
from ...data.base.files import has_size, reason, remove_leftovers
from ...data.folder.manifest import Manifest
from ...data.folder.manifest_reading import load_if_present
from ...data.folder.names import MANIFEST, is_part
from ...data.shard.schema import SPLITS
from ...data.shard.shard import ShardRecord
from ..config.experiment import Experiment
from ..config.file import load_experiment
from ..config.learning import Learning
from ..config.plain_values import ConfigError
from ..describe.attributes import shared_attributes
from ..describe.documents import save_dataset
from ..dynamics.engines import make_engine
from ..runtime.lock import locked
from .kept import KeptShards
from .local_workers import Backend, Work, hired
from .plan import ShardPlan, make_plan
from .present import check_folder, discard, retire_manifest, standing
from .revisions import of_other_revision
from .shard_maker import make_shard


@dataclass(frozen=True)
class Summary:
    """What `generate` did: the manifest, shards reused and written, rows integrated, seconds.

    compared  shards of another revision of the engines that come out the same by this one
    shared    which splits share rows, in a line; "" where none do
    """

    manifest: Manifest
    reused: int
    written: int
    rows: int
    seconds: float
    compared: int = 0
    shared: str = ""


def generate(
    config: Learning | str | Path,
    folder: str | Path,
    jobs: int | None = None,
    *,
    backend: Backend | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> Summary:
    """Make the dataset of a config in a folder, or what is missing of it.

    The same config gives the same bytes, whatever `jobs` and `backend`.

    Args:
        config: An Experiment, as `load_config` gives it, or the path of its file.
        folder: Where the dataset is to lie.
        jobs: How many shards are worked on at once; None is one a core.
        backend: Who works, see `hired`; None is threads or processes, whichever suits the engine.
        scheduler: The address of a dask scheduler, for the backend "dask"; its workers must see the folder.
        overwrite: Whether to throw away a dataset of another config that the folder holds, or what another
            revision of the engines made of an unfinished one.
        console: Where progress is shown; None shows none.

    Returns:
        The manifest, how many shards were made or were there, and how long that took.

    Raises:
        TrajstoreError: The config makes no dataset; the folder holds anything else, or shards of another revision
            whose rows would now come out otherwise; or another process works in it, the disk refuses, or the cluster
            cannot do the work.
    """
    begin = perf_counter()
    config, folder = _experiment(config), Path(folder)
    plans = make_plan(config)
    total = sum(plan.rows for plan in plans)
    compile_engine = partial(make_engine, config.dynamics, config.engine, config.grid.resample, total)
    engine = compile_engine()
    attributes = shared_attributes(config.recipe(), engine.describe())
    path = folder.absolute()
    work = Work(path, compile_engine, partial(make_shard, config, path, attributes))
    console = console or Console(quiet=True, stderr=True)
    with hired(backend, scheduler, jobs, engine) as workers, locked(folder):
        remove_leftovers(folder, is_part)
        workers.prepare(work)
        task = _task(folder, config, plans, attributes, overwrite)
        with _told_how_to_go_on(folder):
            if task.compared:
                workers.make(task.compared, console, "compare")
            retire_manifest(folder, task.manifest, task.missing)
            records = task.kept | workers.make(task.missing, console)
            _check_sizes(folder, records.values())
            manifest = _manifest(config, plans, records)
            shared = save_dataset(folder, manifest)
            # A worker that outlived a killed parent may have begun a file since.
            remove_leftovers(folder, is_part)
    rows, seconds = sum(plan.rows for plan in task.missing), perf_counter() - begin
    return Summary(
        manifest, len(plans) - len(task.missing), len(task.missing), rows, seconds, len(task.compared), shared
    )


def _experiment(config: Learning | str | Path) -> Experiment:
    """Raises ConfigError unless it says what makes a dataset, or is the path of a file that does."""
    if isinstance(config, Experiment):
        return config
    if isinstance(config, str | PathLike):
        return load_experiment(config)
    if isinstance(config, Learning):
        raise ConfigError(
            "the config has neither [system] nor [grid] nor [dataset], and so makes no dataset; train takes it, with "
            "a dataset that is there"
        )
    raise ConfigError(
        f"config is {config!r:.80}; expected an Experiment, as load_config gives it, or the path of a config file"
    )


@dataclass(frozen=True)
class _Task:
    """What is to be done in a folder.

    manifest  that it has; None where there is none, or its dataset was thrown away
    kept      records of shards that are there and whole, by file name
    missing   shards to make
    compared  shards of another revision of the engines, to compare before others are added to them
    """

    manifest: Manifest | None
    kept: dict[str, ShardRecord]
    missing: list[ShardPlan]
    compared: list[ShardPlan]


def _task(
    folder: Path,
    config: Experiment,
    plans: list[ShardPlan],
    attributes: dict[str, str | int],
    overwrite: bool,
) -> _Task:
    """What of these plans the folder lacks; with `overwrite`, what stands in their way is gone afterwards."""
    manifest = load_if_present(folder)
    kept = KeptShards(folder, manifest, str(attributes["config_hash"]))
    check_folder(folder, config, plans, overwrite, kept)
    # Gone, where another dataset was thrown away.
    manifest = manifest if (folder / MANIFEST).exists() else None
    there = standing(folder, plans, manifest, attributes, kept)
    records = {plan.file: there[plan.file] for plan in plans if _is_whole(plan, there)}
    missing = [plan for plan in plans if plan.file not in records]
    others = of_other_revision(folder, plans, there, str(attributes["engine"])) if missing else []
    if overwrite and others:
        discard(folder, [plan.file for plan in others])
        files = {plan.file for plan in (*missing, *others)}
        manifest, missing, others = None, [plan for plan in plans if plan.file in files], []
    return _Task(manifest, records, missing, others)


def _manifest(config: Experiment, plans: list[ShardPlan], records: Mapping[str, ShardRecord]) -> Manifest:
    system = config.dynamics
    return Manifest.of(
        config.generation(),
        system.to_dict(),
        list(config.observation.names(system)),
        {split: [records[plan.file] for plan in plans if plan.split == split] for split in SPLITS},
    )


@contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    """Say, where the work is broken off, what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        # Of workers that were ended in the middle of a file.
        remove_leftovers(folder, is_part)
        raise
    except TerminatedWorkerError:
        raise TrajstoreError(
            f"{folder}: a worker process was killed, perhaps for want of memory. Finished shards are kept: "
            "run the same command again to go on, perhaps with fewer --jobs or smaller dataset.shard_rows."
        ) from None
    except OSError as error:
        raise TrajstoreError(
            f"{folder}: cannot be written ({reason(error)}). Finished shards are kept: mend the cause and run "
            "the same command again to go on."
        ) from None


def _is_whole(plan: ShardPlan, there: Mapping[str, ShardRecord]) -> bool:
    return plan.file in there and there[plan.file].rows == plan.rows


def _check_sizes(folder: Path, records: Iterable[ShardRecord]) -> None:
    """Refuse to call a dataset whole whose shards somebody removed or cut off while it was made."""
    for record in records:
        path = folder / record.file
        if not has_size(path, record.bytes):
            raise TrajstoreError(
                f"{path}: was removed or changed while the dataset was made; run the same command again to make it "
                "once more"
            )
