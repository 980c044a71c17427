"""Code of a user's own in a run: its settings filled in, its files kept, and who may run it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ...data.base.files import atomic_path
from ...data.base.own_code import OwnCode, is_file
from ...data.tasks.task import Task
from ..config.learning import Learning
from ..config.named import NamedSection
from .folder import CODE

Config = TypeVar("Config", bound=Learning)
Classes = Mapping[str, type[Any]]


def _own(config: Learning) -> Iterator[tuple[str, NamedSection]]:
    """The sections of a config whose code is not ours, by their keys."""
    for key in type(config).model_fields:
        section = getattr(config, key)
        if isinstance(section, NamedSection) and section.name not in section.registry.own:
            yield key, section


def settled(config: Config, given: Classes | None = None) -> Config:
    """The same config with every setting of what it names, whose defaults only its class knows.

    given  classes that stand for names, see `load_trained`

    Raises TrajstoreError if there is nothing of that name, or it takes no such settings.
    """
    found = {
        key: section.settled(section.registry.find(section.name, config.code_of(section), given), key)
        for key, section in _own(config)
    }
    return config.model_copy(update=found)


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


def kept_code(run: Path, sha256: str | None = None, *, trusted: bool = False) -> OwnCode:
    """The code that a run has kept."""
    return OwnCode(run / CODE, sha256, trusted, copied=True)


def make_task(config: Learning, given: Classes | None = None) -> Task:
    """The task of a config. Raises TrajstoreError if there is none, or its code may not run."""
    section = config.task
    return section.registry.find(section.name, config.code_of(section), given)(**section.settings)
