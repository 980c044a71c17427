"""Kept shards that another revision of the engines made: would this one make the same rows?"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...data.base.errors import TrajstoreError
from ...data.base.hashing import content_hash
from ...data.shard.schema import DIAGNOSTICS
from ...data.shard.shard import Shard, ShardRecord, read_attributes, read_shard
from ...data.shard.structure import json_attribute, open_shard
from ..dynamics.engines.base.engine import revision_of
from ..runtime.software import PACKAGES, software
from .plan import ShardPlan

# Where other libraries made the rows, their last bits tell nothing: then so small a part of a component's largest
# value along the row may differ.
CLOSE = {"float32": 1e-6, "float64": 1e-9}


class OtherRevisionError(TrajstoreError):
    """A dataset that cannot go on, for its rows would be made in two ways."""


def of_other_revision(
    folder: Path, plans: list[ShardPlan], there: Mapping[str, ShardRecord], engine: str
) -> list[ShardPlan]:
    """Plans to make the shards again that are there, perhaps with fewer rows, and state another revision.

    engine  JSON of the description of that which is to make the others

    Raises TrajstoreError if one states none.
    """
    revision = revision_of(json.loads(engine))
    return [
        replace(plan, rows=there[plan.file].rows, again=True)
        for plan in plans
        if plan.file in there and _stated(folder / plan.file) != revision
    ]


def _stated(path: Path) -> int:
    with open_shard(path) as file:
        engine = json_attribute(read_attributes(file), "engine", path)
    try:
        return revision_of(engine)
    except TrajstoreError as error:
        raise TrajstoreError(f"{path}: {error}") from None


def check_same(path: Path, again: Shard) -> None:
    """Raises OtherRevisionError if a kept shard holds other numbers than the same rows made `again` by this revision.

    Where the same libraries made both, all bits count; else those that other libraries don't change, see CLOSE.
    """
    kept = read_shard(path)
    if content_hash(kept.variables) == content_hash(again.variables):
        return
    began = json_attribute(kept.attributes, "software", path)
    here = software()
    others = [name for name in PACKAGES if name != "trajstore" and began.get(name) != here.get(name)]
    if others and _close(kept, again):
        return
    before, now = (revision_of(json_attribute(each.attributes, "engine", path)) for each in (kept, again))
    libraries = "".join(
        f", {name} {began.get(name, 'none')!s:.40} (here {here.get(name)})" for name in others
    )
    raise OtherRevisionError(
        f"{path}: its rows were made by revision {before} of the engines (trajstore {began.get('trajstore')!s:.40}"
        f"{libraries}); this trajstore has revision {now}, by which {_difference(kept, again)}. A dataset that "
        "goes on would hold rows of both. Make all of it anew, in another folder or in this one with --overwrite; or "
        "go on with the trajstore that began it"
    )


def _close(kept: Shard, again: Shard) -> bool:
    if any(getattr(kept, name) != getattr(again, name) for name in ("components", "system_states")):
        return False
    mine, theirs = kept.variables, again.variables
    if mine.keys() != theirs.keys():
        return False
    rounding = CLOSE[kept.state.dtype.name]
    for name in mine.keys() - set(DIAGNOSTICS):
        one, other = mine[name], theirs[name]
        if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
            continue
        if one.shape != other.shape:
            return False
        if one.dtype.kind != "f" or name == "time":
            if not np.array_equal(one, other):
                return False
            continue
        # Of states, the largest along the row.
        scale = np.abs(one).max(axis=1, keepdims=True) if one.ndim == 3 else np.abs(one)
        with np.errstate(invalid="ignore"):
            far = np.abs(one - other) > rounding * scale
        if far.any() or not np.array_equal(np.isnan(one), np.isnan(other)):
            return False
    return True


def _difference(kept: Shard, again: Shard) -> str:
    """In which rows two shards differ most plainly, in a phrase."""
    if kept.state.shape != again.state.shape:
        return "they have another shape"
    pairs = ((kept.state, again.state), (kept.status[:, None, None], again.status[:, None, None]))
    other = np.any(
        [((one != two) & ~(np.isnan(one) & np.isnan(two))).any(axis=(1, 2)) for one, two in pairs], axis=0
    )
    if not other.any():
        return "what is stored beside their states comes out otherwise"
    distance = np.abs(kept.state[other].astype(np.float64) - again.state[other])
    largest = f", by up to {np.nanmax(distance):.2g}" if np.isfinite(distance).any() else ""
    return f"{other.sum():,} of its {len(other):,} rows come out otherwise{largest}"
