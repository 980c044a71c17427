"""A run's folder: where it keeps its config, checkpoints and metrics, and how each is written and read."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...data.base.errors import FormatError
from ...data.base.files import LOCK, reason, remove_leftovers, write_json
from ...data.base.hashing import json_hash
from ...data.base.representation import few, system_name, told
from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.bystanders import is_bystander
from ...data.folder.elsewhere import refuse_dataset
from ...data.folder.names import holds_dataset
from ...data.folder.stated_grid import grid_of, points_of
from ...data.shard.schema import SPLITS
from ..config.differences import in_words
from ..config.file import check_learning
from ..config.learning import EvaluationSection, Learning
from ..config.plain_values import ConfigError
from ..dynamics.systems import System, system_of
from .curve import CURVE
from .files import RunError, read_text
from .mistaken import mistaken

CONFIG = "config.json"
LAST = "last.pt"
BEST = "best.pt"
TRAINING = "training.json"
METRICS = "metrics.json"
EVALUATION = "evaluation.npz"
FIGURES = "figures"
# Copies of files of a user's own that the config names.
CODE = "code"
RESTART = (
    " --restart-schedule, for rates that fall over the steps would have been others from the first one on"
)
# Keys that say how long a training is, and nothing else.
LENGTHS = {"training.steps", "training.minutes", "refinement.steps"}
FILES = (CONFIG, LAST, BEST, CURVE, TRAINING, METRICS, EVALUATION)


@dataclass(frozen=True)
class RunConfig:
    """What `config.json` holds.

    config      system, grid, dataset and engine as the dataset trained on states them; task, model, training,
                refinement and evaluation as the config resolves them
    dataset     the dataset's id, and its path as given and relative to the run
    identity    hash of all that decides the weights
    normalizer  the moments of the train split, or None
    components  names of the state's components
    parameter_normalizer  the moments of the parameters among the inputs, or None
    predictions  what stands in a network's place where another program made the predictions; None of a run
    inputs, targets  names of the components that the network is given, and of those that it tells; None of all
    """

    config: dict[str, Any]
    dataset: dict[str, str]
    identity: str
    normalizer: dict[str, list[float]] | None
    components: list[str]
    parameter_normalizer: dict[str, list[float]] | None = None
    predictions: dict[str, Any] | None = None
    inputs: list[str] | None = None
    targets: list[str] | None = None

    def __repr__(self) -> str:
        model, task = (self.config.get(key) for key in ("model", "task"))
        names = [part["name"] for part in (model, task) if isinstance(part, dict) and "name" in part]
        what = f"{' for '.join(map(str, names))}, trained on {system_name(self.config)}"
        return told(
            type(self), f"{what}, dataset {self.dataset.get('id')}; components {few(self.components)}"
        )

    @classmethod
    def of(cls, config: Learning, dataset: TrajectoryDataset, data: Path, run: Path) -> Self:
        """A run's own settings, and the dataset's as the dataset states them."""
        names = dataset.components
        seen, told = dataset.task.seen(names), dataset.task.told(names)
        return cls(
            config={**_made(dataset), **config.model_dump(include=set(Learning.model_fields))},
            dataset={"id": dataset.store.id, "path": str(data), "relative": _relative(data, run)},
            identity=json_hash({"learning": config.learning(), "dataset": dataset.store.id}),
            normalizer=dataset.normalizer.state_dict() if dataset.normalizer else None,
            components=list(dataset.components),
            parameter_normalizer=dataset.parameter_normalizer.state_dict()
            if dataset.parameter_normalizer
            else None,
            inputs=None if seen == names else list(seen),
            targets=None if told == names else list(told),
        )

    @classmethod
    def of_predictions(
        cls,
        predictions: dict[str, Any],
        evaluation: EvaluationSection,
        dataset: TrajectoryDataset,
        data: Path,
        out: Path,
    ) -> Self:
        """What another program predicted, in the place of what was learned; `sha256` of it makes the identity."""
        return cls(
            config={**_made(dataset), "evaluation": evaluation.model_dump()},
            dataset={"id": dataset.store.id, "path": str(data), "relative": _relative(data, out)},
            identity=json_hash({"predictions": predictions["sha256"], "dataset": dataset.store.id}),
            normalizer=None,
            components=list(dataset.components),
            predictions=predictions,
        )

    @property
    def learning(self) -> Learning:
        """Raises ConfigError if it is no config."""
        sections = {key: self.config[key] for key in Learning.model_fields if key in self.config}
        return check_learning(sections, "the run's config")

    def difference(self, other: "RunConfig") -> dict[str, tuple[Any, Any]]:
        """The keys in which another run is not this one, each with its value there and here; none of the same run.

        How a refinement is made counts only where both make one.
        """
        if other.identity == self.identity:
            return {}
        try:
            before, after = other.learning.learning(), self.learning.learning()
        except ConfigError:
            return {"config": ("of another version", "this one")}
        if not (before["refinement"]["steps"] and after["refinement"]["steps"]):
            before["refinement"], after["refinement"] = (
                {"steps": sections["refinement"]["steps"]} for sections in (before, after)
            )
        keys = [(section, key) for section in after for key in {**before[section], **after[section]}]
        values = {f"{part}.{key}": (before[part].get(key), after[part].get(key)) for part, key in keys}
        values["dataset"] = (other.dataset["id"], self.dataset["id"])
        there, here = ((one.predictions or {}).get("sha256") for one in (other, self))
        values["predictions"] = there, here
        return {key: both for key, both in values.items() if both[0] != both[1]}

    @property
    def target_names(self) -> list[str]:
        """Of the components that are foretold."""
        return self.targets or self.components

    @property
    def system(self) -> System | None:
        """The equations, or None of data that were measured. Raises TrajstoreError if they are none."""
        return system_of(self.config)

    @property
    def step(self) -> float:
        """Mean time from sample to sample of what was learned."""
        grid = grid_of(self.config, "train")
        return grid["duration"] / (grid["points"] - 1)

    @property
    def window(self) -> int | None:
        """Points of the samples that it was trained on; None where its config does not tell, as a stranger's."""
        task = self.learning.task
        if (given := task.window or task.usual_window) is not None:
            return given
        try:
            rows = self.config["dataset"]
            return min(points_of(self.config, split) for split in SPLITS if rows.get(split, 1))
        except (KeyError, TypeError, AttributeError, ValueError, FormatError):
            return None

    def stored(self) -> dict[str, Any]:
        """JSON-ready, as `config.json` and checkpoints hold it."""
        later = ("predictions", "inputs", "targets")
        return {key: value for key, value in vars(self).items() if key not in later or value is not None}

    def save(self, run: Path) -> None:
        write_json(run / CONFIG, self.stored())

    @classmethod
    def load(cls, run: str | Path) -> Self:
        """Raises RunError if the folder is no run."""
        run = Path(run)
        if other := mistaken(run):
            raise RunError(other)
        try:
            return cls(**json.loads(read_text(run / CONFIG)))
        except (FileNotFoundError, NotADirectoryError):
            told = "" if run.exists() else "no such folder; "
            told = "a dataset, and " if holds_dataset(run) else told
            raise RunError(
                f"{run}: {told}no run: {CONFIG} is missing. Make one with `trajstore train CONFIG --data DIR "
                "--out RUN`"
            ) from None
        except OSError as error:
            raise RunError(reason(error)) from None
        except (ValueError, TypeError, RecursionError) as error:
            raise RunError(f"{run / CONFIG}: cannot be read ({error!s:.200}); train again") from None

    def find_dataset(self, run: Path) -> Path:
        """The dataset's folder: as it lies beside the run, so that both can be moved, or as it was given.

        Raises RunError if it is in neither place.
        """
        for path in (run / self.dataset["relative"], Path(self.dataset["path"])):
            if path.exists():
                return path
        raise RunError(f"{run}: its dataset is not at {self.dataset['path']}; say where with --data")


def _made(dataset: TrajectoryDataset) -> dict[str, Any]:
    """How a dataset was made, as it states it."""
    return {key: dataset.store.config[key] for key in ("system", "grid", "dataset", "engine")}


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


def prepare_folder(run: Path, described: RunConfig, resume: bool, overwrite: bool) -> None:
    """Make a folder ready for a run: empty, or holding the same run to go on with, or one that asked for less.

    Raises RunError if it holds something else, or an unfinished run that is not to be resumed.
    """
    remove_leftovers(run, FILES.__contains__)
    refuse_dataset(run, error=RunError)
    if _is_used(run):
        difference = described.difference(RunConfig.load(run))
        goes_on = resume if difference.keys() <= LENGTHS else False
        if not (goes_on or (not difference and (run / TRAINING).is_file())):
            if not overwrite:
                raise RunError(f"{run}: {_in_the_way(difference, described.learning)}")
            clear(run)
        elif difference and (run / LAST).is_file():
            # It is another run's until its checkpoint is known to be the beginning of this one.
            return
    described.save(run)


def prepare_evaluation(folder: Path, described: RunConfig, overwrite: bool) -> None:
    """Make a folder ready for what is judged: with this config where it is empty, or holding the same.

    The config that it holds, which goes with what it holds, stays until there is something new.

    Raises RunError if it holds something else, or lies in a dataset.
    """
    refuse_dataset(folder, error=RunError)
    folder.mkdir(parents=True, exist_ok=True)
    if _is_used(folder):
        held = RunConfig.load(folder)
        if held.identity == described.identity:
            return
        if not overwrite:
            what = "a run" if held.predictions is None else "what was judged of other predictions"
            raise RunError(
                f"{folder}: holds {what}; throw it away with --overwrite, or choose another folder"
            )
        clear(folder)
    described.save(folder)


def _is_used(folder: Path) -> bool:
    """Does it hold a run, or what was judged? Raises RunError for anything else, which nobody throws away."""
    entries = entries_of(folder)
    if entries and not (folder / CONFIG).exists():
        raise RunError(
            f"{folder}: holds {entries[0].name}, and no run; choose an empty folder, or one that is not there yet"
        )
    return bool(entries)


def entries_of(run: Path) -> list[Path]:
    """All that the folder holds. The config is last: where it is cleared and a crash comes, it is still a run's."""
    entries = (path for path in run.iterdir() if path.name != LOCK and not is_bystander(path.name))
    return sorted(entries, key=lambda path: path.name == CONFIG)


def clear(run: Path) -> None:
    """Throw away all that the folder holds."""
    for path in entries_of(run):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _in_the_way(difference: dict[str, tuple[Any, Any]], asked: Learning) -> str:
    """Why a folder cannot be trained in, and how to mend it; `difference` is of the run that it holds."""
    mend = "throw it away with --overwrite, or choose another folder"
    if difference.keys() <= LENGTHS:
        anew = "training.steps" in difference and asked.training.schedule != "constant"
        mend = f"go on with --resume{RESTART if anew else ''}, or {mend}"
    if not difference:
        return f"holds an unfinished run of this config; {mend}"
    told = in_words(difference)
    return f"holds a run of another config or dataset ({told}); {mend}"
