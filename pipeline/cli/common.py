"""What the commands share: errors as messages, exit codes, arguments and options."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from ...data.base.errors import TrajstoreError, printable
from ...data.base.files import finite, reason
from ...data.base.installing import TORCH, install_torch
from ...data.base.shortage import shortage
from ...data.remote.address import meant, scheme_of
from ..runs.mistaken import mistaken
from ..runtime.interrupts import end_deaf, nothing_else_heard

if TYPE_CHECKING:
    from ...data.folder.manifest import Manifest


class DatasetPath(click.Path):
    """A path, or the address of a dataset that lies elsewhere, which stays text: a path has no two slashes.

    addresses  are they taken, or refused?
    """

    def __init__(self, addresses: bool) -> None:
        super().__init__(path_type=Path)
        self._addresses = addresses

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            # Of a variable of a shell that is not set; the folder one stands in would be taken for it.
            self.fail("got an empty text, expected a path", param, ctx)
        if scheme_of(value) is None:
            return super().convert(value, param, ctx)
        if not self._addresses:
            self.fail("expected a path, got an address; `trajstore fetch` brings a dataset here", param, ctx)
        return value


PATH, DATASET = DatasetPath(addresses=False), DatasetPath(addresses=True)
INTERRUPTED = 130


class Failure(click.ClickException):
    """A message on stderr, no traceback, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo("trajstore: " + printable(self.message, keep="\n"), file=file or sys.stderr)


def command(function: Callable[..., None], go_on: str = "begins anew") -> Callable[..., None]:
    """Turn what users can mend into a message and exit code 2, and an interrupt into 130.

    An interrupt that has no message of its own says that the same command begins anew: whatever is written is whole
    or as it was.
    """

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            with nothing_else_heard():
                function(*arguments, **options)
        except TrajstoreError as error:
            raise Failure(str(error)) from None
        except (OSError, MemoryError, RuntimeError) as error:
            if short := shortage(error):
                raise Failure(str(short)) from None
            if not isinstance(error, OSError):
                raise
            raise Failure(reason(error)) from None
        except ModuleNotFoundError as error:
            if error.name != TORCH:
                raise
            raise Failure(f"this needs {TORCH}, which is not installed: {install_torch()}") from None
        except KeyboardInterrupt as error:
            end_deaf()
            said = str(error) or f"the same command {go_on}"
            click.echo(f"trajstore: interrupted; {printable(said)}", err=True)
            sys.exit(INTERRUPTED)

    return run


def resumable(function: Callable[..., None]) -> Callable[..., None]:
    """The same of a command that keeps what it has done."""
    return command(function, "goes on from here")


def check_is_there(path: Path) -> None:
    """Raise TrajstoreError where nothing is, or a config, for commands that take runs and datasets alike."""
    if not path.exists():
        raise TrajstoreError(
            f"{path}: no such folder; expected that of a run or of a dataset, or a shard{meant(path)}"
        )
    if other := mistaken(path, "the folder of a run or of a dataset, or a shard", shards=True):
        raise TrajstoreError(other)


config_argument = click.argument("config", type=PATH)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Override a key of the config."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout; words go to stderr."
)
trust_option = click.option(
    "--trust-code", is_flag=True, help="Run code that the run has or names for what is not trajstore's own."
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Throw away what the folder holds of another config."
)


def new_console(*, stderr: bool = True) -> Console:
    """Shows words as they are: no colours for whatever looks like a number or a path, and no markup in a name."""
    return Console(stderr=stderr, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """On stdout; a number that JSON has not is null, and what no terminal or encoding takes is an escape."""
    text = json.dumps(finite(value), indent=1, ensure_ascii=False)
    click.echo(
        "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)
    )


def print_dataset_json(path: Path, manifest: "Manifest", **more: Any) -> None:
    """Of a dataset that was made: id, path as given and splits, as `info --json` has them, and more."""
    from .printing import splits_facts

    print_json({"id": manifest.id, "path": str(path), "splits": splits_facts(manifest), **more})


def print_datasets_json(path: Path, manifests: Mapping[str, "Manifest"]) -> None:
    """Of several datasets in a folder: the path as given, and what `print_dataset_json` says of each, by name."""
    from .printing import splits_facts

    each = {
        name: {"id": manifest.id, "path": str(path / name), "splits": splits_facts(manifest)}
        for name, manifest in manifests.items()
    }
    print_json({"path": str(path), "datasets": each})
