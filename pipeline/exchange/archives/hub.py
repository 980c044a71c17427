"""A dataset goes to the Hugging Face Hub: one commit, which either has all of it or is not there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ....data.base.errors import TrajstoreError
from ....data.folder.names import is_manifest_part, is_shard
from ....data.remote.hub import HubDataset, hub_api, hub_error
from .parcel import Parcel, Published

# Files whose whereabouts are asked for, and that are sent, together.
TOGETHER = 16


def publish_on_hub(parcel: Parcel, target: str) -> Published:
    """Send the files that the Hub does not have, then commit all. Shards of an earlier dataset are removed by it.

    Raises TrajstoreError if the Hub refuses, or the package is missing.
    """
    dataset, api = HubDataset.of(target), hub_api()
    if dataset.revision or dataset.folder:
        raise TrajstoreError(f"{target}: a dataset is published as the next commit; expected hf://ORG/NAME")
    if parcel.draft:
        raise TrajstoreError(
            f"{target}: the Hub has no drafts; make the dataset private there, and leave out --draft"
        )
    if not api.token:
        raise TrajstoreError(f"{target}: publishing needs a token of the Hub: hf auth login, or HF_TOKEN")
    where = f"hf://{dataset.repo}"
    with _told(where):
        api.create_repo(dataset.repo, repo_type="dataset", exist_ok=True)
        there = {entry.path: entry for entry in api.list_repo_tree(dataset.repo, repo_type="dataset")}
        commit, sent = _commit(api, dataset.repo, parcel, there)
        there = {
            entry.path: entry
            for entry in api.list_repo_tree(dataset.repo, repo_type="dataset", revision=commit)
        }
    for record in parcel.manifest.shards:
        found = _sha256(there.get(record.file))
        if found not in (None, record.sha256) or record.file not in there:
            raise TrajstoreError(
                f"{where}: has another {record.file} than what was sent; run the same command again"
            )
    page = f"{api.endpoint}/datasets/{dataset.repo}"
    return Published(f"{where}@{commit}", page, len(parcel.files), sent, parcel.manifest)


def _commit(api: Any, repo: str, parcel: Parcel, there: dict[str, Any]) -> tuple[str, int]:
    """The commit that has the dataset, and how many files the Hub did not have as they are."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    sizes = {record.file: record for record in parcel.manifest.shards}
    added, sent = [], 0
    for first in range(0, len(parcel.files), TOGETHER):
        some = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(parcel.folder / name))
            for name in parcel.files[first : first + TOGETHER]
        ]
        new = [
            each
            for each in some
            if each.path_in_repo not in sizes
            or _sha256(there.get(each.path_in_repo)) != sizes[each.path_in_repo].sha256
        ]
        sent += len(new)
        # Large files are in the Hub's store from here on, and not sent again by another run.
        api.preupload_lfs_files(repo, new, repo_type="dataset", free_memory=False)
        added += new
        for _ in some:
            parcel.advance()
    stale = [
        CommitOperationDelete(path_in_repo=name)
        for name in there
        if (is_shard(name) or is_manifest_part(name)) and name not in parcel.files
    ]
    message = f"Dataset {parcel.manifest.id}"
    done = api.create_commit(repo, [*added, *stale], commit_message=message, repo_type="dataset")
    return done.oid, sent


def _sha256(entry: Any) -> str | None:
    """Of a file in the Hub's store of large files; None of a small one."""
    lfs = getattr(entry, "lfs", None)
    return getattr(lfs, "sha256", None)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn what the library raises into a message; it, too, warns and draws bars, which ours replaces."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    level, shown = logger.level, not are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    except TrajstoreError:
        raise
    except Exception as error:
        seen: BaseException | None = error
        while seen is not None and getattr(seen, "response", None) is None:
            seen = seen.__cause__
        raise hub_error(where, seen if isinstance(seen, Exception) else error) from None
    finally:
        logger.setLevel(level)
        if shown:
            enable_progress_bars()
