"""A study's file: datasets, models and seeds, what is varied, and what others have published."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from ...data.base.errors import TrajstoreError
from ...data.base.section import Section, Seed
from ..config.explain import explain
from ..config.file import GENERATING, read_toml
from ..config.plain_values import ConfigError, check_texts
from .registry import STUDY_FIGURES

SECTIONS = ("task", "model", "training", "refinement", "evaluation")
# Of these, what baselines are judged by.
JUDGING = ("task", "evaluation")
# What the job of judging them is called, beside models.
BASELINES = "baselines"

# What is varied where a dataset is several folders; a key of a config has a dot.
FOLDER = "folder"

Plain = dict[str, Any]


def _label(text: str) -> str:
    if not text or any(not (sign.isalnum() or sign in "-_.") for sign in text) or text.startswith("."):
        raise ValueError("expected letters, digits, -, _ and . alone, for folders are called like it")
    return text


def _key(text: str) -> str:
    if not re.fullmatch(r"[a-z_]+(\.[A-Za-z0-9_]+)+", text):
        raise ValueError(f"got {text!r:.80}, expected a key of a config, as training.steps")
    return text


Label = Annotated[str, Field(max_length=60), AfterValidator(_label)]
# Without tags each mistake would be told twice, once for each of the two.
ConfigOrPath = Annotated[
    Annotated[str, Tag("<path>")] | Annotated[Plain, Tag("<sections>")],
    Discriminator(lambda value: "<sections>" if isinstance(value, dict) else "<path>"),
]
FolderOrFolders = Annotated[
    Annotated[str, Tag("<path>")] | Annotated[list[str], Field(min_length=1), Tag("<paths>")],
    Discriminator(lambda value: "<paths>" if isinstance(value, list) else "<path>"),
]


class StudyDataset(Section):
    """A dataset by the study's own label, from one of three sources.

    Attributes:
        label: Letters, digits, -, _ and . alone.
        config: A config file beside the study, or its sections, over those of `[defaults]`.
        folder: One that is there, beside the study, or a list of several that are pooled; what is not there is left
            out.
        script: Beside the study, that writes one into the folder that it is told; it runs once.
        set: Overrides of a config's keys, as nested tables.
    """

    label: Label
    config: ConfigOrPath | None = None
    folder: FolderOrFolders | None = None
    script: str | None = None
    set: Plain = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> "StudyDataset":
        given = [key for key in ("config", "folder", "script") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"got {' and '.join(given) or 'none'}, expected one of config, folder and script"
            )
        if self.set and self.config is None:
            raise ValueError("`set` overrides a config, and there is none")
        return self

    def parts(self) -> list[tuple["StudyDataset", Plain]]:
        """Itself; or of several folders a dataset each, with what it says is varied."""
        if not isinstance(self.folder, list):
            return [(self, {})]
        return [(self.model_copy(update={FOLDER: each}), {FOLDER: each}) for each in self.folder]


class StudyModel(Section):
    """A model by the study's own label; its sections override those of `[defaults]`.

    Attributes:
        label: Letters, digits, -, _ and . alone.
        only: Labels of the datasets that it is trained on; left out: all.
        seeds: Of its training, in place of the study's.
        task: Keys of that section.
        model: Keys of that section.
        training: Keys of that section.
        refinement: Keys of that section.
        evaluation: Keys of that section; which baselines there are is said by `[defaults]`.
    """

    label: Label
    only: list[str] | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    task: Plain = Field(default_factory=dict)
    model: Plain = Field(default_factory=dict)
    training: Plain = Field(default_factory=dict)
    refinement: Plain = Field(default_factory=dict)
    evaluation: Plain = Field(default_factory=dict)


class Varied(Section):
    """A key of a config that takes several values in turn.

    Attributes:
        key: Such as "training.learning_rate".
        values: One after the other; with several keys all combinations.
        pooled: Whether the table has medians over them in one line, as over seeds; results.json has a row for each.
    """

    key: Annotated[str, AfterValidator(_key)]
    values: Annotated[list[Any], Field(min_length=1)]
    pooled: bool = False


class Published(Section):
    """Numbers of others, in the table beside ours.

    Attributes:
        dataset: The label of ours that they are of.
        model: Their name for it.
        metrics: By our names.
        source: Where they stand, or from what they follow.
        floor: Whether they are what nobody can do better than, as follows from what is asked.
    """

    dataset: str
    model: str
    metrics: dict[str, float]
    source: str
    floor: bool = False


class StudyFile(Section):
    """A study as its file states it.

    Attributes:
        title: Above the table.
        seeds: Of the training, one run each, where a model has no others.
        columns: Metrics of the table, the first of which the figure shows; left out: what there is of the usual ones.
        figures: Others of all runs, by name ("side-by-side", "energies"), or your own as "file.py:function" or
            "package.module:function".
        defaults: Sections of a config that all runs share.
        dataset: Tables `[[dataset]]`, see below.
        model: Tables `[[model]]`, see below; left out: baselines alone.
        vary: Tables `[[vary]]`, see below.
        published: Tables `[[published]]`, see below.
        quick: Overrides for `--quick`, as nested tables, of `refinement` for models that have one; `seeds` may be
            among them, and `values`: how many of those that are pooled.
    """

    title: str = ""
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default_factory=lambda: [0])
    columns: list[str] = Field(default_factory=list)
    figures: list[str] = Field(default_factory=list)
    defaults: Plain = Field(default_factory=dict)
    dataset: Annotated[list[StudyDataset], Field(min_length=1)]
    model: list[StudyModel] = Field(default_factory=list)
    vary: list[Varied] = Field(default_factory=list)
    published: list[Published] = Field(default_factory=list)
    quick: Plain | None = None

    @property
    def pooled(self) -> set[str]:
        """What is varied, but told in one line."""
        return {FOLDER, *(each.key for each in self.vary if each.pooled)}

    @field_validator("figures")
    @classmethod
    def _there_are_such(cls, names: list[str]) -> list[str]:
        for name in names:
            try:
                STUDY_FIGURES.check(name)
            except TrajstoreError as error:
                raise ValueError(str(error)) from None
        files = ["figure", *(name.rpartition(":")[2] for name in names)]
        if twice := [file for file in files if files.count(file) > 1]:
            raise ValueError(f"two figures would be {twice[0]}.png; call one otherwise")
        return names

    @model_validator(mode="after")
    def _fits_together(self) -> "StudyFile":
        for what in ("dataset", "model"):
            labels = [entry.label for entry in getattr(self, what)]
            if twice := {label for label in labels if labels.count(label) > 1}:
                raise ValueError(f"{what}: the label {sorted(twice)[0]!r} is there twice; expected each once")
        known = {entry.label for entry in self.dataset}
        for entry in self.model:
            if entry.label == BASELINES:
                raise ValueError(
                    f"model: {BASELINES!r} is what the baselines are called; choose another label"
                )
            if BASELINES in entry.evaluation:
                raise ValueError(
                    f"model {entry.label!r}: evaluation.baselines belongs in [defaults], for they are judged once "
                    "a dataset"
                )
            if unknown := [label for label in entry.only or [] if label not in known]:
                raise ValueError(
                    f"model {entry.label!r}: only names {unknown[0]!r}; datasets are {', '.join(known)}"
                )
        for entry in self.published:
            if entry.dataset not in known:
                raise ValueError(
                    f"published: got {entry.dataset!r}, expected one of {', '.join(sorted(known))}"
                )
        quick = _overrides(self.quick or {})
        for entry in self.dataset:
            if wrong := [key for key in entry.set if key not in GENERATING]:
                raise ValueError(f"dataset {entry.label!r}: set.{wrong[0]} makes no dataset")
        allowed = {*SECTIONS, *GENERATING}
        for where, tables in (("defaults", self.defaults), ("quick", quick)):
            for section, table in tables.items():
                if section in allowed and not isinstance(table, dict):
                    raise ValueError(f"{where}.{section}: got {table!r:.80}, expected a table")
        for section in [*self.defaults, *quick, *(each.key.split(".")[0] for each in self.vary)]:
            if section not in allowed:
                raise ValueError(
                    f"{section!r} is no section of a config; expected one of {', '.join(sorted(allowed))}"
                )
        return self


def _overrides(quick: Plain) -> Plain:
    """Those of sections. Raises ValueError if what else there is makes no sense."""
    seeds, values = quick.get("seeds", [0]), quick.get("values", 1)
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise ValueError(f"quick.seeds: got {seeds!r}, expected a list of whole numbers from 0")
    if type(values) is not int or values < 1:
        raise ValueError(f"quick.values: got {values!r}, expected a whole number from 1")
    return {key: value for key, value in quick.items() if key not in ("seeds", "values")}


def load_study(path: Path) -> StudyFile:
    """Raises ConfigError if it is none."""
    raw = read_toml(path)
    try:
        check_texts(raw)
        return StudyFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, StudyFile, raw)}") from None
    except TrajstoreError as error:
        raise ConfigError(f"{path}: {error}") from None


def tells_on_baselines(key: str) -> bool:
    """Whether a key that is varied changes baselines and floors: how networks are trained is nothing to them."""
    return key == FOLDER or key.split(".")[0] in (*GENERATING, *JUDGING)


def merged(*layers: Mapping[str, Any]) -> Plain:
    """Nested tables, one laid over the other; the later counts."""
    found: Plain = {}
    for layer in layers:
        for key, value in layer.items():
            below = found.get(key)
            found[key] = (
                merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
            )
    return found


def nested(key: str, value: Any) -> Plain:
    """`{"a": {"b": value}}` of "a.b"."""
    *parents, last = key.split(".")
    found = {last: value}
    for parent in reversed(parents):
        found = {parent: found}
    return found
