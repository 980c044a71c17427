"""The data card: README.md of a dataset, for the person who opens its folder. `card.md.j2` has its words."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from ...data.folder.manifest import Manifest, SplitRecord
from ...data.folder.names import CHECKSUMS, MANIFEST
from .description import UNSPECIFIED, Description
from .front_matter import MARKER as MARKER
from .front_matter import RowVariables, front_matter
from .phrases import line, number
from .templates import environment

# Longer tables and systems are folded away until the reader asks for them.
UNFOLDED = 12
SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def data_card(
    manifest: Manifest,
    engine: Mapping[str, Any],
    software: Mapping[str, Any],
    shared: str = "",
    variables: RowVariables | None = None,
) -> str:
    """The card as GitHub's Markdown; the same dataset gives the same text.

    engine, software  what the dataset's shards say of their integrator and of package versions
    shared            which splits share rows, "" where none do
    variables         those with a value a row, as the first shard has them
    """
    description = Description(manifest)
    loaded_split, loaded = _first_sound(manifest) if manifest.shards else ("", None)
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            front_matter=front_matter(description, variables or {}),
            checksums=CHECKSUMS,
            manifest_file=MANIFEST,
            unfolded=UNFOLDED,
            unspecified=UNSPECIFIED,
            manifest=manifest,
            description=description,
            engine=engine,
            software=software,
            shared=shared,
            config=json.dumps(manifest.config, indent=1, ensure_ascii=False),
            loaded_split=loaded_split,
            loaded_file=loaded.shards[0].file if loaded else "",
            citation=citation(description, software),
        )
    )


def citation(description: Description, software: Mapping[str, Any]) -> str:
    """How to cite a dataset, as one line of plain text."""
    creator = "" if description.creator == UNSPECIFIED else f"{description.creator}: "
    version = line(software.get("trajstore"))
    made = f"made with trajstore {version}".rstrip()
    return f"{creator}{description.title}. Dataset {line(description.manifest.id)}, {made}."


@cache
def _environment() -> jinja2.Environment:
    # The card is Markdown, so the template escapes as Markdown asks, by `literal`.
    return environment(
        {
            "literal": escape,
            "code": _code,
            "line": line,
            "number": number,
            "thousands": "{:,}".format,
            "digits": "{:.6g}".format,
        }
    )


def _first_sound(manifest: Manifest) -> tuple[str, SplitRecord]:
    """A split to show loading with: the first that has sound rows, or any rows at all."""
    splits = [(name, split) for name, split in manifest.splits.items() if split.shards]
    return next((item for item in splits if item[1].failed < item[1].trajectories), splits[0])


def escape(text: str) -> str:
    """Text that means nothing to Markdown, HTML or LaTeX inside a line."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}
    return SPECIAL.sub(r"\\\1", "".join(entities.get(character, character) for character in text))


def _code(text: str) -> str:
    """Text for between backticks, in a table too."""
    return text.replace("`", "'").replace("|", "/")
