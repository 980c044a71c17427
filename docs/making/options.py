"""Options as mkdocs-click can tell them: for want of a default they hold an object of click, which it prints."""

from collections.abc import Iterator
from typing import Any

import click
from trajstore.pipeline.cli.main import main


def on_config(config: Any) -> Any:
    """Before pages are made: no default is None, or False of a flag, which is what commands are given then."""
    for option in options(main):
        if "UNSET" in str(option.default):
            option.default = False if option.is_flag else None
    return config


def options(command: click.Command) -> Iterator[click.Option]:
    """Of a command and of all below it."""
    # With --help, which click makes when it is asked for and then keeps.
    params = command.get_params(click.Context(command))
    yield from (param for param in params if isinstance(param, click.Option))
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from options(below)
