"""Commands that bring in what others share, and share with others: fetch, publish."""

import sys
from pathlib import Path

import click

from .common import PATH, json_option, new_console, print_dataset_json, resumable


@click.command("fetch")
@click.argument("url")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option(
    "--id",
    "identity",
    metavar="ID",
    help="Refuse any dataset but the one with this id; 8 digits of its beginning are enough. Checksums come from the "
    "same server as the files: only an id that you have from elsewhere tells that it serves what it should.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="Files fetched at once."
)
@click.option("--overwrite", is_flag=True, help="Throw away another dataset that the folder holds.")
@json_option
@resumable
def fetch_command(
    url: str, folder: Path, identity: str | None, jobs: int, overwrite: bool, as_json: bool
) -> None:
    """Bring the dataset at URL into DIR, and check it: 0 if sound, 1 if not.

    URL is where the dataset's folder lies: https, http, file, hf://ORG/NAME[@REVISION], doi:10.5281/zenodo.N, or a
    path. The same command goes on where it was interrupted, and fetches nothing that is already there and right.
    """
    if not url:
        raise click.BadParameter("got an empty text, expected an address or a path", param_hint="URL")
    from ..exchange.fetch.fetch import fetch

    console = new_console()
    done = fetch(url, folder, identity=identity, jobs=jobs, overwrite=overwrite, console=console)
    there = f", {done.kept} there already" if done.kept else ""
    if done.replaced:
        there += f", {' and '.join(done.replaced)} replaced"
    console.print(
        f"{done.fetched} shards fetched{there}; {done.bytes:,} bytes in {done.seconds:.2f} s; "
        f"id {done.manifest.id}",
        soft_wrap=True,
    )
    if as_json:
        more = {"problems": [problem.to_dict() for problem in done.problems]} if done.problems else {}
        print_dataset_json(folder, done.manifest, **more)
    for problem in done.problems:
        click.echo(problem, err=as_json)
    for note in done.notes:
        click.echo(f"note: {note}", err=as_json)
    if done.problems:
        click.echo(
            f"{folder}: all files are as the manifest says, but the dataset is not sound; ask who shares it",
            err=True,
        )
        sys.exit(1)
    click.echo(f"{folder}: sound", err=as_json)


@click.command("publish")
@click.argument("folder", metavar="DIR", type=PATH)
@click.argument("target")
@click.option("--license", help="For Zenodo's own entry, where the dataset names none, as in CC-BY-4.0.")
@click.option("--creator", help='The same, as in "Surname, Name".')
@click.option("--draft", is_flag=True, help="On Zenodo, stop before the record is public, which is for ever.")
@json_option
@resumable
def publish_command(
    folder: Path, target: str, license: str | None, creator: str | None, draft: bool, as_json: bool
) -> None:
    """Check the dataset in DIR and publish it at TARGET, hf://ORG/NAME or zenodo:; prints what to cite.

    One that is not sound is refused. The same command goes on where it was interrupted. Tokens are those of
    `hf auth login` or HF_TOKEN, and ZENODO_TOKEN; HF_ENDPOINT and ZENODO_URL name other servers.
    """
    from ..exchange.archives.publish import publish

    console = new_console()
    done = publish(folder, target, license=license, creator=creator, draft=draft, console=console)
    console.print(
        f"{done.sent} of {done.files} files sent, the others were there; id {done.manifest.id}; {done.page}",
        soft_wrap=True,
    )
    if as_json:
        print_dataset_json(folder, done.manifest, cite=done.cite, page=done.page)
    else:
        click.echo(done.cite)
