"""`trajstore publish`: a sound dataset goes to a public archive, and has an identifier to be cited by."""

from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from ....data.base.errors import DataError, TrajstoreError
from ....data.base.suggestions import did_you_mean
from ....data.folder.documents import document_hashes
from ....data.folder.manifest import Manifest
from ....data.folder.manifest_reading import load_manifest
from ....data.folder.names import CHECKSUMS, MANIFEST
from ....data.integrity.verify import examine
from ....data.remote.address import plain
from ....data.remote.hub import address_of_page
from ...runtime.bars import Bars
from .parcel import Parcel, Published

# From the scheme of a target to what publishes there.
ARCHIVES = {"hf": ".hub:publish_on_hub", "zenodo": ".zenodo:publish_on_zenodo"}


def publish(
    folder: str | Path,
    target: str,
    *,
    license: str | None = None,
    creator: str | None = None,
    draft: bool = False,
    console: Console | None = None,
) -> Published:
    """Check a dataset, and send it to a public archive; what is there already is not sent again.

    Args:
        folder: The dataset's folder. Only its own files are sent.
        target: `hf://ORG/NAME`, or the address of its page, or `zenodo:`.
        license: For the archive's own entry, where the dataset does not say.
        creator: The same.
        draft: Stop before it becomes public; only where the archive has such a state.
        console: Where progress is shown; None shows none.

    Raises:
        FormatError: The folder holds no dataset.
        DataError: The dataset is not sound.
        TrajstoreError: The archive refuses, or the connection fails. The same call goes on from there.
    """
    folder = Path(folder)
    target = address_of_page(target)
    name, colon, _ = target.partition(":")
    name = name.lower()
    if not colon or name not in ARCHIVES:
        raise TrajstoreError(
            f"{plain(target)}: no archive that is known; expected hf://ORG/NAME or zenodo:."
            + did_you_mean(target, ("zenodo:",))
        )
    manifest = load_manifest(folder)
    with Bars("files", console=console or Console(quiet=True, stderr=True)) as bar:
        task = bar.add_task("check", total=len(manifest.shards))
        found = examine(folder, lambda done: bar.update(task, completed=done), isolated=True)
        if found.problems:
            raise DataError(
                f"{folder}: is not sound, so it is not published: {found.problems[0]}"
                + (f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else "")
                + f"; see `trajstore verify {folder}`"
            )
        files = own_files(folder, manifest)
        bar.reset(task, description="send", total=len(files))
        dataset = manifest.config["dataset"]
        told = {
            key: _told(folder, key, dataset.get(key), given)
            for key, given in (("license", license), ("creator", creator))
        }
        module, _, function = ARCHIVES[name].partition(":")
        send = getattr(import_module(module, __package__), function)
        parcel = Parcel(folder, manifest, files, **told, draft=draft, advance=lambda: bar.advance(task))
        return send(parcel, target)


def _told(folder: Path, key: str, stated: Any, given: str | None) -> str:
    """What a dataset states, or else what is given. Raises TrajstoreError where these are not the same."""
    own = "" if stated in (None, "unspecified") else str(stated)
    if own and given and given != own:
        raise TrajstoreError(
            f"{folder}: its {key} is {own!r:.200}, but got --{key} {given!r:.200}; leave it out, or state another "
            f"one in a dataset of its own (dataset.{key} in the config, or `select --title --creator`)"
        )
    return own or given or ""


def own_files(folder: Path, manifest: Manifest) -> list[str]:
    """Names of the files that make up a dataset, the manifest last."""
    return [
        *(record.file for record in manifest.shards),
        *(entry.file for entry in manifest.all_parts),
        *document_hashes(folder),
        CHECKSUMS,
        MANIFEST,
    ]
