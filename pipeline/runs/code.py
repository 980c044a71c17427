"""Code of a user's own in a run: its settings filled in, its files kept, and who may run it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ...data.base.files import atomic_path
from ...data.base.own_code import OwnCode, is_file
from ...data.tasks.task import Task
from ..config.learners import LearnerSection
from ..config.learning import EvaluationSection, Learning
from ..config.named import NamedSection
from .folder import CODE

Config = TypeVar("Config", bound=Learning)
Classes = Mapping[str, type[Any]]


def _own(config: Learning) -> Iterator[tuple[str, NamedSection]]:
    """The sections of a config whose code is not ours, by their keys."""
    named = {"task": config.task, "model": config.model, "training.learner": config.training.learner}
    for key, section in named.items():
        if section is not None and section.name not in section.registry.own:
            yield key, section


def settled(config: Config, given: Classes | None = None) -> Config:
    """The same config with every setting of what it names, whose defaults only its class knows.

    given  classes that stand for names, see `load_trained`

    Raises TrajstoreError if there is nothing of that name, or it takes no such settings.
    """
    config = _with_learner(config, given)
    found: dict[str, Any] = {
        key: section.settled(section.registry.find(section.name, config.code_of(section), given), key)
        for key, section in _own(config)
    }
    if learner := found.pop("training.learner", None):
        found["training"] = config.training.model_copy(update={"learner": learner})
    return config.model_copy(update=found)


def _with_learner(config: Config, given: Classes | None) -> Config:
    """The same with the learner that the model asks for, where the config names none; the usual one goes unsaid."""
    section = config.model
    wanted = section.registry.find(section.name, config.code_of(section), given).learner
    if config.training.learner is not None or wanted == LearnerSection().name:
        return config
    training = config.training.model_copy(update={"learner": LearnerSection.model_validate({"name": wanted})})
    return config.model_copy(update={"training": training})


def keep_code(run: Path, config: Learning) -> None:
    """Copy the files of a user's own that a config names into the folder of its run."""
    named = [(section.name, config.code_of(section)) for _, section in _own(config)]
    judged_by = config.evaluation
    names = [*judged_by.metrics, *(judged_by.baselines or ()), *judged_by.figures]
    named += [(name, config.code) for name in names]
    for name, code in named:
        if is_file(name):
            (run / CODE).mkdir(exist_ok=True)
            with atomic_path(kept_code(run, code.sha256).file(name)) as temporary:
                temporary.write_bytes(code.read(name))


def brought_code(learning: Learning, evaluation: EvaluationSection) -> dict[str, type[Any]]:
    """Metrics and baselines that are asked for only now, by their names: from files of the current folder, where the
    run has kept none of that name.
    """
    kept = learning.evaluation
    named = (
        ("metric", kept.metrics, evaluation.metrics),
        ("baseline", kept.baselines or (), evaluation.baselines or ()),
    )
    return {
        name: OwnCode(trusted=True).load(name, kind)
        for kind, before, now in named
        for name in now
        if is_file(name) and name not in before and not learning.code.file(name).is_file()
    }


def kept_code(run: Path, sha256: str | None = None, *, trusted: bool = False) -> OwnCode:
    """The code that a run has kept."""
    return OwnCode(run / CODE, sha256, trusted, copied=True)


def make_task(config: Learning, given: Classes | None = None) -> Task:
    """The task of a config. Raises TrajstoreError if there is none, or its code may not run."""
    section = config.task
    return section.registry.find(section.name, config.code_of(section), given)(**section.settings)
