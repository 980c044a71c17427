"""The command that shows a dataset or a run in a browser: view."""

from pathlib import Path

import click

from .common import PATH, check_is_there, command, trust_option


@click.command("view")
@click.argument("path", type=PATH, metavar="DATASET|RUN")
@click.option(
    "--out", type=PATH, metavar="FILE", help="The page; DATASET.html or RUN.html, beside it, if left out."
)
@trust_option
@command
def view_command(path: Path, out: Path | None, trust_code: bool) -> None:
    """Write tables and figures of a dataset, or of an evaluated run, as one HTML page that needs nothing else."""
    from ...data.folder.names import holds_dataset

    check_is_there(path)
    if path.is_file() or holds_dataset(path):
        from ..draw.dataset_page import view_dataset

        written = view_dataset(path, out)
    else:
        from ..draw.run_figures.page import view_run

        written = view_run(path, out, trust_code=trust_code)
    click.echo(str(written))
