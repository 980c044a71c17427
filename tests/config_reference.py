"""docs/config.md, from the classes that check configs and studies.

    python tests/config_reference.py

writes it.
"""

from pathlib import Path
from typing import Any

from trajstore.data.base.section import Section
from trajstore.data.tasks.registry import TASKS
from trajstore.models.settings import SETTINGS
from trajstore.pipeline import Experiment
from trajstore.pipeline.config.grid import SplitGrid
from trajstore.pipeline.config.learners import SETTINGS as LEARNERS
from trajstore.pipeline.config.learners import LearnerSection
from trajstore.pipeline.config.reference import markdown
from trajstore.pipeline.study.file import Published, StudyDataset, StudyFile, StudyModel, Varied

PATH = Path(__file__).parent.parent / "docs/config.md"
HEAD = """# Config keys

Every key of a config file, its default and what it means. A key that stands at its default is left out of what is
hashed and stored where it came later than the first datasets, so ids stay. `--set key.path=value` overrides any of
them. This page is written from the classes by `python tests/config_reference.py`.

"""
STUDIES = """## Studies

A study's file (`trajstore study STUDY.toml --out DIR`, see [evaluation.md](evaluation.md#studies)) has these keys.

"""


def document() -> str:
    """The whole page."""
    fields = Experiment.model_fields
    sections: dict[str, Any] = {}
    for key in Experiment.known_keys({}):
        # The keys of its tables are those of [initial_states], which says so.
        if key != "initial_states_by_split":
            sections[f"[{key}]"] = fields[key].annotation
        if key == "grid":
            sections["[grid.splits.SPLIT]"] = SplitGrid
    tasks = {name: TASKS.find(name).Settings for name in TASKS.own}
    sections |= {f"[task] of {name}": kind for name, kind in tasks.items() if kind is not Section}
    sections |= {f"[model] of {name}": kind for name, kind in SETTINGS.items()}
    sections["[training.learner]"] = LearnerSection
    sections |= {
        f"[training.learner] of {name}": kind for name, kind in LEARNERS.items() if kind is not Section
    }
    studies = {
        "study": StudyFile,
        "[[dataset]]": StudyDataset,
        "[[model]]": StudyModel,
        "[[vary]]": Varied,
        "[[published]]": Published,
    }
    return HEAD + markdown(sections) + "\n" + STUDIES + markdown(studies, "###")


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
