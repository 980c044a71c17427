"""One HTML page that needs nothing beside itself: tables, texts, and figures as SVG. `page.html.j2` has its form."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from matplotlib.figure import Figure

from ...data.base.errors import TrajstoreError
from ...data.base.files import atomic_path

# By which a page is known as ours, near its beginning.
MARKER = '<meta name="generator" content="trajstore">'
HEAD = 1024
# The same picture has the same text; letters are drawn, so that no font is asked for.
SVG: Any = {"svg.hashsalt": "trajstore", "svg.fonttype": "path"}
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class PageTable:
    """A table with its heading; the cells of all columns but the first are numbers where `numbers` says so."""

    heading: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = True
    note: str = ""


@dataclass(frozen=True)
class Page:
    """What a page shows, as plain text. `texts` are blocks by their headings, `figures` SVG by their names."""

    title: str
    about: str
    facts: Mapping[str, str]
    tables: Sequence[PageTable] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)


def svg_of(figure: Figure) -> str:
    """A figure as an SVG element."""
    written = io.StringIO()
    with mpl.rc_context(SVG):
        figure.savefig(written, format="svg", metadata=NO_METADATA)
    text = written.getvalue()
    return text[text.index("<svg") :]


def write_page(page: Page, path: Path) -> None:
    """Write it whole. Raises TrajstoreError if something is there that trajstore did not write."""
    if (path.exists() or path.is_symlink()) and not _is_ours(path):
        raise TrajstoreError(f"{path}: is there, and not a page that trajstore wrote; give another --out")
    html = _environment().get_template("page.html.j2").render(page=page, marker=MARKER)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARKER.encode() in file.read(HEAD)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
