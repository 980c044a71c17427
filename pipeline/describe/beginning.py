"""A config to begin with: a system of the library, and what one changes first, with comments."""

import json
from functools import cache

import jinja2

from ..dynamics.systems import System
from .phrases import line
from .templates import environment

# Of a system with more states or parameters, the config does not name them.
NAMED = 12


def first_config(system: System, *, quick: bool = False) -> str:
    """The text of a TOML file that loads as it stands.

    quick  with so few rows and steps that the whole path takes seconds
    """
    return _environment().get_template("beginning.toml.j2").render(system=system, quick=quick, named=NAMED)


@cache
def _environment() -> jinja2.Environment:
    # A config is no HTML; texts pass `text` or `comment`.
    return environment({"text": json.dumps, "comment": line, "number": lambda value: repr(float(value))})
