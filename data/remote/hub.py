"""Datasets on the Hugging Face Hub: where a revision's files lie, and with which token they are asked for."""

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from ..base.errors import TrajstoreError
from ..base.installing import install
from .address import NotThereError, plain
from .places import Place

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
# Revisions of the Hub's own making may have their slashes as they are.
REVISION = r"refs/(?:pr/[0-9]+|convert/[\w.-]+)(?=/|$)|[^/@?#\s]{1,200}"
ADDRESS = re.compile(rf"hf://(?:datasets/)?({NAME}/{NAME})(?:@({REVISION}))?(?:/(.*))?", re.IGNORECASE)
# The path of a dataset's page, or of the list of its files.
PAGE = re.compile(rf"/datasets/({NAME}/{NAME})(?:/(?:tree|blob)/([^/]+)(/.*?)?)?/?(?:manifest\.json)?")
SITE = "https://huggingface.co"
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubDataset:
    """`hf://ORG/NAME[@REVISION][/FOLDER]`."""

    repo: str
    revision: str | None
    folder: str

    @classmethod
    def of(cls, url: str) -> "HubDataset":
        """Raises TrajstoreError if the address is none of the Hub's."""
        found = ADDRESS.fullmatch(url)
        parts = (found.group(3) or "").strip("/") if found else ".."
        if found is None or ".." in parts.split("/"):
            raise TrajstoreError(f"{plain(url)}: no dataset on the Hub; expected hf://ORG/NAME[@REVISION]")
        # What was copied from a browser's or fsspec's address has slashes, blanks and the like written out.
        return cls(found.group(1), found.group(2) and unquote(found.group(2)), parts)

    def __str__(self) -> str:
        """The address of the revision, as it can be typed."""
        revision = f"@{quote(self.revision, safe='+')}" if self.revision else ""
        return f"hf://{self.repo}{revision}"


def address_of_page(url: str) -> str:
    """`hf://ORG/NAME[@REVISION][/FOLDER]` of a page of the Hub, as a browser has it; any other address as it is."""
    for site in (SITE, os.environ.get("HF_ENDPOINT") or SITE):
        path = url.partition("?")[0].partition("#")[0]
        found = PAGE.fullmatch(path.removeprefix(site.rstrip("/")))
        if found is not None and path != found.group():
            revision = f"@{found.group(2)}" if found.group(2) else ""
            return f"hf://{found.group(1)}{revision}{found.group(3) or ''}"
    return url


def hub_api() -> Any:
    """huggingface_hub's API at HF_ENDPOINT, with the user's own token. Raises TrajstoreError without the package."""
    try:
        import huggingface_hub
        from huggingface_hub import constants
    except ImportError:
        raise TrajstoreError(
            f"datasets on the Hugging Face Hub need huggingface_hub: {install('hub')}"
        ) from None
    token = huggingface_hub.get_token()
    if token and not (token.isascii() and token.isprintable()):
        raise TrajstoreError("the token of the Hugging Face Hub holds signs that no token has; log in again")
    return huggingface_hub.HfApi(
        endpoint=(os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/"), token=token or False
    )


def hub_place(url: str) -> Place:
    """Where the files of a dataset lie: those of one commit, which never change.

    Raises NotThereError, or TrajstoreError if the Hub refuses, or the package is missing.
    """
    dataset, api = HubDataset.of(url), hub_api()
    token_header.cache_clear()
    try:
        commit = api.dataset_info(dataset.repo, revision=dataset.revision, timeout=10.0).sha
    except Exception as error:
        raise hub_error(str(dataset), error) from None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise TrajstoreError(f"hf://{dataset.repo}: the Hub names no commit; is HF_ENDPOINT right?")
    folder = f"/{dataset.folder}" if dataset.folder else ""
    return Place(f"{api.endpoint}/datasets/{dataset.repo}/resolve/{commit}{folder}", token_header)


@lru_cache(maxsize=1)
def token_header() -> dict[str, str]:
    """The user's own token, none without one: looked up when a dataset is opened, and once in each other process."""
    token = hub_api().token
    return {"Authorization": f"Bearer {token}"} if token else {}


def hub_error(where: str, error: Exception) -> TrajstoreError:
    """What went wrong with the Hub, and what to do; the library's own texts are long, and of its own insides."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 404 or "NotFound" in type(error).__name__:
        return NotThereError(
            f"{where}: the Hub has no such dataset, revision or file, or shows it only to others; check the name (a "
            "slash in a revision's is written %2F), or log in: hf auth login"
        )
    if status in (401, 403):
        return TrajstoreError(
            f"{where}: the Hub refuses (status {status}); log in with a token that may do this: hf auth login"
        )
    if status == 413:
        return TrajstoreError(f"{where}: the Hub finds it too large (status 413); choose smaller shards")
    if status is not None:
        return TrajstoreError(f"{where}: the Hub answers with status {status}; try again later")
    return TrajstoreError(
        f"{where}: the Hub cannot be reached ({type(error).__name__}); check the connection and HF_ENDPOINT"
    )
