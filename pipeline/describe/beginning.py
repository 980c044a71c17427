"""A config to begin with: a system of the library, and what one changes first, with comments."""

import json
from functools import cache
from pathlib import Path

import jinja2

from ..dynamics.systems import System
from .phrases import line

# Of a system with more states or parameters, the config does not name them.
NAMED = 12


def first_config(system: System, *, quick: bool = False) -> str:
    """The text of a TOML file that loads as it stands.

    quick  with so few rows and steps that the whole path takes seconds
    """
    return _environment().get_template("beginning.toml.j2").render(system=system, quick=quick, named=NAMED)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        # A config is no HTML; texts pass `text` or `comment`.
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": json.dumps, "comment": line, "number": lambda value: repr(float(value))}
    return environment
