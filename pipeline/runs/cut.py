"""How samples are cut from the rows of a dataset, of which those of one split may be longer than those of another."""

from pathlib import Path
from typing import Any

from ...data.folder.manifest_reading import load_manifest
from ...data.folder.stated_grid import by_split, points_of, same_step, step_of
from ..config.learning import TaskSection
from .files import RunError


def cut_of(section: TaskSection, data: Path) -> dict[str, Any]:
    """What of [task] makes a TrajectoryDataset: its window, where it is left out, is the shortest row of any split.

    Raises RunError if the window is longer than the rows of a split, FormatError if there is no dataset.
    """
    manifest = load_manifest(data)
    points = {
        split: points_of(manifest.config, split)
        for split, record in manifest.splits.items()
        if record.trajectories
    }
    cut = section.cut
    if len(set(points.values())) <= 1:
        return cut
    shortest = min(points, key=lambda split: points[split])
    if section.window is None:
        return cut if section.usual_window else {**cut, "window": points[shortest]}
    if section.window > points[shortest]:
        raise RunError(
            f"task.window: got {section.window}, but the trajectories of {shortest} in {data} have "
            f"{points[shortest]} samples; expected at most so many, for all splits are cut alike"
        )
    return cut


def check_steps(data: Path, *splits: str) -> None:
    """Raise RunError if samples of these splits, where they have rows, are not equally far apart.

    What is learned from one would be judged, or chosen, by what it has not learned.
    """
    manifest = load_manifest(data)
    if not by_split(manifest.config):
        return
    steps = {
        split: step_of(manifest.config, split) for split in splits if manifest.splits[split].trajectories
    }
    (first, one), *others = steps.items()
    for split, other in others:
        if not same_step(one, other):
            raise RunError(
                f"{data}: samples of {first} are {one:g} apart, those of {split} {other:g}; expected one step for "
                f"both: generate it without a step of its own in grid.splits.{split}"
            )
