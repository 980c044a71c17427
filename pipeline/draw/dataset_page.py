"""A dataset as one page: the tables of its card, and its figures."""

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np

from ...data.folder.elsewhere import refuse_inside
from ..describe.description import UNSPECIFIED, Description
from .dataset import DRAWINGS
from .dataset_sample import sample_dataset
from .page import Page, PageTable, svg_of, write_page
from .style import STYLE


def view_dataset(path: Path, out: Path | None = None) -> Path:
    """Write the page of a dataset's folder, or of one shard; its path, beside the dataset where `out` is left out.

    Raises FormatError if the path is no dataset, TrajstoreError if the page would lie in one, or replace some other
    file.
    """
    whole = path.resolve()
    page_path = whole.with_name(f"{whole.name}.html") if out is None else out
    refuse_inside(page_path)
    sample = sample_dataset(path)
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        figures = {name: svg_of(draw(sample)) for name, draw in DRAWINGS.items()}
    description = Description(sample.manifest)
    write_page(_page(description, figures), page_path)
    return page_path


def _page(description: Description, figures: dict[str, str]) -> Page:
    manifest = description.manifest
    facts = {
        "dataset id": manifest.id,
        "rows": description.failures,
        "components": ", ".join(description.states),
        "observed": description.observed,
        "time grid": description.grid,
        "integrator": description.engine,
        "stored as": f"{description.dtype}, {description.files}, {manifest.bytes:,} bytes",
        "licence": description.license,
        "creator": description.creator,
        "date": description.date or UNSPECIFIED,
        "initial states": description.starts,
        "derived": "; ".join(description.provenance),
        "reference": description.reference,
    }
    equations = description.equations or {}
    texts = {
        "Equations": "\n".join(f"{name}' = {side}" for name, side in equations.items())
        or "Measured: no equations.",
        "Config": json.dumps(manifest.config, indent=1, ensure_ascii=False),
    }
    about = description.about or f"Trajectories of {description.name}."
    known = {key: value for key, value in facts.items() if value}
    return Page(description.title, about, known, _tables(description), texts, figures)


def _tables(description: Description) -> list[PageTable]:
    splits = description.manifest.splits
    moments = splits["train"].statistics
    columns = (moments.mean, moments.std, moments.minimum, moments.maximum)
    values = zip(description.states, *columns, strict=False) if moments.count else ()
    return [
        PageTable(
            "Splits",
            ("split", "rows", "failed", "files"),
            [
                (name, f"{split.trajectories:,}", f"{split.failed:,}", str(len(split.shards)))
                for name, split in splits.items()
            ],
        ),
        PageTable(
            "Parameters",
            ("name", "value", "unit", "meaning"),
            [(one.name, one.value, one.unit, one.meaning) for one in description.parameters],
            numbers=False,
        ),
        PageTable(
            "Statistics of train",
            ("component", "mean", "standard deviation", "minimum", "maximum"),
            [(name, *(f"{value:.6g}" for value in row)) for name, *row in values],
        ),
        *_starts(description),
    ]


def _starts(description: Description) -> Iterator[PageTable]:
    """From which box initial states were drawn; where it was in another way, how, and in which splits."""
    own = [(f"in {split}", how) for split, how in description.starts_by_split.items()]
    if description.starts:
        own = [("in others" if own else "all", description.starts), *own]
    else:
        boxes = [(name, low, high) for name, (low, high) in description.boxes.items()]
        yield PageTable("Initial states", ("component", "from", "to"), boxes)
    if own:
        heading = "Initial states" if description.starts else "Initial states of splits that begin otherwise"
        yield PageTable(heading, ("rows", "as the config says"), own, numbers=False)
