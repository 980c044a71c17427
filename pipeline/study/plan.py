"""What a study has to do: datasets to make, and runs to train and judge."""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, Self

from ...data.base.errors import TrajstoreError
from ...data.base.hashing import json_hash
from ..config.experiment import Experiment
from ..config.file import GENERATING, check_config, check_learning, read_toml
from ..config.learning import Learning, ModelSection, TaskSection
from ..config.named import NamedSection
from ..config.plain_values import ConfigError
from ..learn.selection import check_judged_by
from ..runs.code import settled
from .file import (
    BASELINES,
    SECTIONS,
    Plain,
    StudyDataset,
    StudyFile,
    StudyModel,
    merged,
    nested,
    tells_on_baselines,
)
from .results import label_of

# Characters of a hash in the name of a folder.
SHOWN = 8


@dataclass(frozen=True)
class DatasetJob:
    """A dataset in its folder: to be made by a config or by a script, or there.

    Attributes:
        label: The study's own.
        folder: Where it is, or will be.
        config: That makes it.
        script: That writes it, with the folder as its argument.
    """

    label: str
    folder: Path
    config: Experiment | None = None
    script: Path | None = None


@dataclass(frozen=True)
class RunJob:
    """A run: to be trained on a dataset, and judged; or the baselines of a dataset, to be judged.

    Attributes:
        dataset: Its dataset.
        model: The study's own label.
        seed: Of the training; None of baselines.
        varied: Keys that are varied, with their values.
        config: That is trained.
        folder: Of the run.
    """

    dataset: DatasetJob
    model: str
    seed: int | None
    varied: Plain
    config: Learning
    folder: Path

    @property
    def names(self) -> list[str]:
        """DATASET/MODEL, and of what is trained DATASET/MODEL/seedN."""
        name = f"{self.dataset.label}/{self.model}"
        return [name] if self.seed is None else [name, f"{name}/seed{self.seed}"]


@dataclass(frozen=True)
class Plan:
    """All of a study, in order; `left_out` says which datasets are absent, and why."""

    datasets: list[DatasetJob]
    runs: list[RunJob]
    left_out: dict[str, str] = field(default_factory=dict)

    def only(self, pattern: str) -> Self:
        """Its runs of a DATASET/MODEL, or DATASET/MODEL/seedN, that a pattern matches, and their datasets.

        Raises ConfigError if it matches none.
        """
        runs = [job for job in self.runs if any(fnmatchcase(name, pattern) for name in job.names)]
        if not runs:
            known = sorted({job.names[0] for job in self.runs})
            raise ConfigError(
                f"--only {pattern}: matches no DATASET/MODEL of the study; there are {', '.join(known)}"
            )
        datasets = [job for job in self.datasets if any(job is run.dataset for run in runs)]
        return replace(self, datasets=datasets, runs=runs)


def make_plan(study: StudyFile, path: Path, out: Path, *, quick: bool) -> Plan:
    """The datasets and runs of a study.

    Args:
        study: As its file states it.
        path: Of that file; what it names lies beside it.
        out: The folder of the results.
        quick: Whether its `[quick]` overrides hold.

    Raises:
        ConfigError: A config is none, or `quick` is asked for and the file has no overrides.
    """
    if quick and study.quick is None:
        raise ConfigError(f"{path}: has no [quick] table; give one with overrides, or run it without --quick")
    overrides = dict(study.quick or {}) if quick else {}
    seeds: list[int] | None = overrides.pop("seeds", None)
    most: int | None = overrides.pop("values", None)
    _check_varied(study, overrides)
    beside, left_out = path.parent, {}
    datasets: dict[str, DatasetJob] = {}
    runs: list[RunJob] = []
    choices = [
        [(each.key, value) for value in (each.values[:most] if each.pooled else each.values)]
        for each in study.vary
    ]
    entries = [part for entry in study.dataset for part in entry.parts()[:most]]
    for (entry, part), chosen in product(entries, product(*choices)):
        models = [model for model in study.model if model.only is None or entry.label in model.only]
        if study.model and not models:
            continue
        varied = part | dict(chosen)
        varying = [nested(key, value) for key, value in chosen]
        dataset = _dataset_job(entry, study, beside, out, [*varying, overrides])
        if isinstance(dataset, str):
            left_out[label_of(entry.label, part)] = dataset
            continue
        # Where nothing that makes it is varied, it is one.
        dataset = datasets.setdefault(f"{entry.label} {dataset.folder}", dataset)
        for model, seed in [(each, seed) for each in models for seed in seeds or each.seeds or study.seeds]:
            own = {"training": {"seed": seed}, "evaluation": {"baselines": []}}
            raw = merged(_quickened(_learning(model, study.defaults, varying), overrides), own)
            config = _checked(raw, f"{path}: model {model.label}", beside)
            runs.append(_run_job(dataset, model.label, seed, varied, config, out))
        # What is varied of training alone is nothing to baselines.
        theirs = {key: value for key, value in chosen if tells_on_baselines(key)}
        raw = _learning(None, study.defaults, [nested(key, theirs[key]) for key in theirs])
        theirs = part | theirs
        baselines = _checked(_quickened(raw, overrides), f"{path}: defaults", beside)
        job = _run_job(dataset, BASELINES, None, theirs, baselines, out)
        if baselines.evaluation.baselines != [] and job not in runs:
            runs.append(job)
    _check_folders(runs)
    if not runs:
        told = [f"{label} is left out: {why}" for label, why in left_out.items()]
        raise ConfigError(
            f"{path}: {'; '.join(told) or 'no model is trained on any dataset'}; nothing is left to do"
        )
    return Plan(list(datasets.values()), runs, left_out)


def _checked(raw: Plain, source: str, beside: Path) -> Learning:
    """Raises ConfigError for what is wrong in it, names that nothing is behind among these."""
    config = check_learning(raw, source, beside)
    try:
        # A package that is missing costs the runs that need it, and no others.
        check_judged_by(config, installed=False)
        settled(config)
    except TrajstoreError as error:
        raise ConfigError(f"{source}: {error}") from None
    return config


def _run_job(
    dataset: DatasetJob, model: str, seed: int | None, varied: Plain, config: Learning, out: Path
) -> RunJob:
    learned = {"learning": config.learning(), "dataset": dataset.folder.name, "varied": varied}
    name = f"{dataset.label}-{model}" if seed is None else f"{dataset.label}-{model}-seed{seed}"
    folder = out / "runs" / f"{name}-{json_hash(learned)[:SHOWN]}"
    return RunJob(dataset, model, seed, varied, config, folder)


def _check_folders(runs: list[RunJob]) -> None:
    """Raise ConfigError if two runs are one: their rows would be told as two."""
    seen: dict[Path, RunJob] = {}
    for job in runs:
        if job.folder in seen:
            raise ConfigError(
                f"{job.dataset.label}/{job.model}, seed {job.seed}: is there twice; give each seed and value once"
            )
        seen[job.folder] = job


def _check_varied(study: StudyFile, overrides: Plain) -> None:
    """Raise ConfigError if a key that is varied decides nothing."""
    made = [entry.label for entry in study.dataset if entry.config is None]
    for each in study.vary:
        section, *rest = each.key.split(".")
        below: Any = overrides
        for part in (section, *rest):
            below = below.get(part) if isinstance(below, dict) else None
        if each.key == "training.seed":
            raise ConfigError("vary: training.seed is what `seeds` are for")
        if below is not None:
            raise ConfigError(f"vary: {each.key} is overridden by [quick]; leave it out there")
        if section in GENERATING and made:
            raise ConfigError(f"vary: {each.key} makes a dataset, and {made[0]} is made without a config")


def _learning(model: StudyModel | None, defaults: Plain, layers: list[Plain]) -> Plain:
    """What a model is trained with: its sections over the defaults, and what is varied over both. Baselines, which
    are no model, have the defaults.
    """
    shared = _part(defaults, SECTIONS)
    own: Plain = {key: {} if model is None else getattr(model, key) for key in SECTIONS}
    kinds: dict[str, type[NamedSection]] = {"task": TaskSection, "model": ModelSection}
    for key, kind in kinds.items():
        before = shared.get(key, {})
        usual = before.get("name", kind.model_fields["name"].default)
        name = own[key].get("name", usual)
        if name != usual:
            shared[key] = _part(before, _in_common(kind, usual, name))
    return merged(shared, own, *(_part(layer, SECTIONS) for layer in layers))


def _in_common(kind: type[NamedSection], *names: str) -> tuple[str, ...]:
    """Keys of a section that tell the same, whichever of two it names: settings, too, that both have, of one type."""
    one, other = (
        {} if settings is None else settings.model_fields for settings in map(kind.own_settings, names)
    )
    alike = [key for key in one if key in other and one[key].annotation == other[key].annotation]
    return (*(key for key in kind.model_fields if key != "sha256"), *alike)


def _quickened(raw: Plain, overrides: Plain) -> Plain:
    """With the quick overrides; those of a refinement are for what has one."""
    sections = (
        SECTIONS if raw["refinement"].get("steps") else tuple(key for key in SECTIONS if key != "refinement")
    )
    return merged(raw, _part(overrides, sections))


def _dataset_job(
    entry: StudyDataset, study: StudyFile, beside: Path, out: Path, layers: list[Plain]
) -> DatasetJob | str:
    """A dataset to be made or taken; or why it is left out."""
    if isinstance(entry.folder, str):
        folder = beside / entry.folder
        return DatasetJob(entry.label, folder) if folder.exists() else f"{entry.folder} is not there"
    if entry.script is not None:
        script = beside / entry.script
        if not script.is_file():
            return f"{entry.script} is not there"
        return DatasetJob(entry.label, out / "datasets" / entry.label, script=script)
    raw: Any = entry.config
    source = f"dataset {entry.label}"
    if isinstance(raw, str):
        if not (beside / raw).is_file():
            return f"{raw} is not there"
        source, raw = raw, read_toml(beside / raw)
    generating = [_part(layer, GENERATING) for layer in (study.defaults, raw, entry.set, *layers)]
    config = check_config(merged(*generating), source, beside)
    digest = json_hash(config.generation())[:SHOWN]
    return DatasetJob(entry.label, out / "datasets" / f"{entry.label}-{digest}", config=config)


def _part(raw: Plain, sections: tuple[str, ...]) -> Plain:
    return {key: value for key, value in raw.items() if key in sections}
