"""The figures of a run by name, in the order in which they are drawn."""

from typing import Any

from ....data.base.registry import Registry

FIGURES: Registry[Any] = Registry(
    "figure",
    {
        "flow": "flow:draw_flow",
        "loss": "loss:draw_loss",
        "error": "error:draw_error",
        "stateful": "stateful:draw_stateful",
        "rollout": "rollout:draw_rollout",
        "growth": "growth:draw_growth",
        "attractor": "attractor:draw_attractor",
        "spectra": "spectra:draw_spectra",
        "regions": "regions:draw_regions",
        "energy": "energy:draw_energy",
        "hamiltonian": "hamiltonian:draw_hamiltonian",
        "portraits": "portraits:draw_portraits",
        # Last, for make takes it for the sign that all are drawn.
        "predictors": "predictors:draw_predictors",
    },
    package="trajstore.pipeline.draw.run_figures",
)
