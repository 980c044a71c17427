"""What a dataset's folder already holds: shards to keep, shards to make again, and what is not ours."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...data.base.errors import FormatError, TrajstoreError
from ...data.folder.manifest import Manifest
from ...data.folder.names import MANIFEST, is_shard, parts_in
from ...data.shard.shard import ShardRecord, inspect_shard, read_attributes
from ...data.shard.structure import json_attribute, open_shard, values
from ..config.differences import differing, in_words
from ..config.experiment import Experiment
from ..describe.documents import is_ours
from ..dynamics.engines.base.engine import REVISION, revision_of
from .kept import KeptShards
from .plan import ShardPlan

# Attributes that name versions of software, which may change between two runs of the same config.
VERSIONED = ("software", "engine")


def standing(
    folder: Path,
    plans: list[ShardPlan],
    manifest: Manifest | None,
    attributes: dict[str, str | int],
    kept: KeptShards,
) -> dict[str, ShardRecord]:
    """Records of the planned shards that are already there and right, perhaps with fewer rows, by file name.

    A shard that the manifest knows is right if it is unchanged, see `KeptShards`; one that it does not (of a run
    that was killed) if its attributes are the plan's and its content has the hash that it states.
    """
    known = manifest.places if manifest else {}
    right = {}
    for plan in plans:
        record = kept[plan.file]
        if plan.file not in known:
            path = folder / plan.file
            record = _self_check(path, {**attributes, "split": plan.split, "first_row": plan.first_row})
        if record is not None and record.first_row == plan.first_row and record.rows <= plan.rows:
            right[plan.file] = record
    return right


def _self_check(path: Path, expected: dict[str, str | int]) -> ShardRecord | None:
    """The record of a shard that is what it should be, as far as it can tell by itself."""
    try:
        record, shard = inspect_shard(path)
    except FormatError:
        return None
    attributes = shard.attributes
    # Another version of the software may have begun the dataset.
    same = all(attributes[name] == value for name, value in expected.items() if name not in VERSIONED)
    return record if same and attributes["content_hash"] == record.content_hash else None


def retire_manifest(folder: Path, manifest: Manifest | None, missing: list[ShardPlan]) -> None:
    """Remove a manifest that the next shard would make untrue: while a dataset grows, it is none."""
    known = {record.file: record.rows for record in manifest.shards} if manifest else {}
    if any(known.get(plan.file, plan.rows) != plan.rows for plan in missing):
        (folder / MANIFEST).unlink()


def discard(folder: Path, files: Iterable[str]) -> None:
    """Remove shards, and before them the manifest that lists them."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for file in files:
        (folder / file).unlink()


def check_folder(
    folder: Path, config: Experiment, plans: list[ShardPlan], overwrite: bool, kept: KeptShards
) -> None:
    """Refuse a folder that holds something else; with `overwrite`, clear another config's dataset away."""
    planned = {plan.file: plan for plan in plans}
    stale, others = [], []
    reason = "the dataset of another config"
    for path in parts_in(folder, is_ours):
        if not is_shard(path.name):
            continue
        if not os.access(path, os.R_OK):
            raise TrajstoreError(f"{path}: permission denied; whether it may stay cannot be told")
        plan = planned.get(path.name)
        record = kept[path.name]
        if record is not None:
            other, larger = False, plan is not None and record.rows > plan.rows
        else:
            other, larger = _compare(path, kept.recipe, plan)
        if other or larger or plan is None:
            stale.append(path)
            others += [path] if other else []
        if not other and (larger or plan is None):
            reason = "more rows than this config asks for"
    names = [name for name, each in config.dynamics.parameters.items() if each.draw or each.by_split]
    if not stale and len(names) > 1:
        stale = _drawn_in_another_order(folder, config, plans)
        reason = f"rows whose parameters were declared in another order than here: {', '.join(names)}"
    if stale and not overwrite:
        raise TrajstoreError(
            f"{folder}: holds {reason} (see {stale[0].name}{_why_other(others, config)}); choose another folder, or "
            "throw that away with --overwrite"
        )
    if stale:
        discard(folder, [path.name for path in stale])


def _drawn_in_another_order(folder: Path, config: Experiment, plans: list[ShardPlan]) -> list[Path]:
    """All planned shards that are there, if parameters of a first row are not those that this config draws.

    They are drawn in the order in which they are declared, which the hash of a config does not tell.
    """
    there = [plan for plan in plans if (folder / plan.file).is_file()]
    first = {plan.split: plan for plan in reversed(there)}
    for plan in first.values():
        drawn = config.parameter_rows(plan.split, plan.first_row, plan.first_row + 1)[0]
        try:
            with open_shard(folder / plan.file) as file:
                # Another revision may draw otherwise, which is asked later.
                if (
                    revision_of(json_attribute(read_attributes(file), "engine", folder / plan.file))
                    != REVISION
                ):
                    continue
                found = [values(file, name)[0] for name in config.dynamics.parameters]
        except (FormatError, IndexError):
            continue
        if not np.array_equal(drawn, found):
            return [folder / plan.file for plan in there]
    return []


def _why_other(paths: list[Path], config: Experiment) -> str:
    """What the first of these shards says of its config that this one does not."""
    if not paths:
        return ""
    with open_shard(paths[0]) as file:
        there = json_attribute(read_attributes(file), "config", paths[0])
    found = differing(there, config.recipe())
    if not found:
        return ""
    chosen = config.engine.name == "auto" and all(key.startswith("engine.") for key in found)
    why = (
        "; this trajstore chooses another engine for these equations than the one that began it"
        if chosen
        else ""
    )
    return f": {in_words(found)}{why}"


def _compare(path: Path, recipe_hash: str, plan: ShardPlan | None) -> tuple[bool, bool]:
    """Is it a shard of another config? Has it, in its place, more rows than planned?

    A damaged shard, or one that belongs elsewhere, is neither: it is simply made again.
    """
    try:
        with open_shard(path) as file:
            attributes = read_attributes(file)
            rows = len(values(file, "status"))
    except FormatError:
        return False, False
    place = (attributes["split"], attributes["first_row"])
    larger = plan is not None and place == (plan.split, plan.first_row) and rows > plan.rows
    return attributes["config_hash"] != recipe_hash, larger
