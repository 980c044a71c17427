"""The command that writes a config to begin with: init."""

import shlex
from pathlib import Path

import click

from ...data.base.errors import TrajstoreError
from .common import PATH, command


@click.command("init")
@click.argument("system", default="van-der-pol")
@click.option("--out", type=PATH, metavar="FILE", help="The config; SYSTEM.toml if left out.")
@click.option(
    "--quick", is_flag=True, help="With few rows and steps: to see the whole path, not for its numbers."
)
@command
def init_command(system: str, out: Path | None, quick: bool) -> None:
    """Write a config of a SYSTEM of the library, with comments, to begin with."""
    from ...data.base.files import atomic_path
    from ...data.folder.elsewhere import refuse_inside
    from ..describe.beginning import first_config
    from ..dynamics.systems import get_system

    text = first_config(get_system(system), quick=quick)
    path = Path(f"{system.replace(':', '-')}.toml") if out is None else out
    if path.exists() or path.is_symlink():
        raise TrajstoreError(f"{path}: is there already; move it away, or give another --out")
    refuse_inside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    click.echo(str(path))
    beside = (path, *(path.with_name(f"{path.stem}-{what}") for what in ("dataset", "run")))
    config, data, run = (shlex.quote(str(each)) for each in beside)
    click.echo(f"{path}: change what you like, then", err=True)
    for step in (
        f"generate {config} --out {data}",
        f"train {config} --data {data} --out {run}",
        f"evaluate {run}",
        f"plot {run}",
    ):
        click.echo(f"  trajstore {step}", err=True)
