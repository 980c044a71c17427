"""The figures of a study by name, beside that of its table."""

from typing import Any

from ...data.base.registry import Registry

STUDY_FIGURES: Registry[Any] = Registry(
    "study figure",
    {"side-by-side": "side_by_side:draw_side_by_side", "energies": "energies:draw_energies"},
    package="trajstore.pipeline.study",
)
