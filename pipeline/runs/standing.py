"""Where a training stands, and what it says of itself."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from .loss_units import RAW

# What may end a phase, and a training; the clock ends a training alone.
Ending = Literal["steps", "patience", "minutes"]


@dataclass
class Standing:
    """All that a checkpoint keeps beside weights and learner.

    `step` counts over all phases, `phase_step` in the current one; times are in seconds, losses in
    `loss_units`.

    best_selected   the metric of `training.select` at `best_step`; NaN where that is the mean squared error
    ended           of each phase that has ended: its steps, and why it ended
    stopped_by      why the whole training has ended; None while it has not
    schedule_start  step of the first phase at which its schedule of learning rates began
    restarts        steps, over all phases, at which such a schedule was begun anew
    """

    phase: int = 0
    step: int = 0
    phase_step: int = 0
    smoothed: float = math.nan
    best_step: int = 0
    best_validation: float = math.inf
    best_selected: float = math.nan
    stale: int = 0
    seconds: float = 0.0
    waiting: float = 0.0
    loss_units: str = RAW
    ended: list[tuple[int, Ending]] = field(default_factory=list)
    stopped_by: Ending | None = None
    schedule_start: int = 0
    restarts: list[int] = field(default_factory=list)

    @property
    def repeatable(self) -> bool:
        """Do config and dataset alone decide the weights?"""
        return self.stopped_by != "minutes" and not self.restarts

    def end(self, enough: bool, impatient: bool, late: bool, phases: int) -> bool:
        """Note what has ended at this step, after it was evaluated; whether the steps of this phase have.

        enough, impatient  whether the phase has taken all its steps, or gains no more
        late               whether the time is over
        phases             how many there are
        """
        if enough or impatient:
            self.ended = [*self.ended, (self.phase_step, "steps" if enough else "patience")]
            self.phase, self.phase_step, self.stale = self.phase + 1, 0, 0
            if self.phase == phases:
                self.stopped_by = self.ended[-1][1]
        if late and self.stopped_by is None:
            self.stopped_by = "minutes"
        return enough or impatient or late

    def summary(self) -> dict[str, Any]:
        """What `training.json` holds; JSON-ready, but for numbers that are not finite."""
        return {
            "steps": self.step,
            "best_step": self.best_step,
            "validation_mse": self.best_validation,
            **({} if math.isnan(self.best_selected) else {"selected": self.best_selected}),
            "final_smoothed_loss": self.smoothed,
            "loss_units": self.loss_units,
            "seconds": self.seconds,
            "waiting_share": self.waiting / max(self.seconds, 1e-9),
            "stopped_by": self.stopped_by,
            "repeatable": self.repeatable,
            **({"schedule_restarts": self.restarts} if self.restarts else {}),
        }


def ending(training: dict[str, Any]) -> str:
    """In words, how a training ended that did not take all of its steps; of a summary, which may be an older one."""
    said = ""
    match training.get("stopped_by", "steps"):
        case None:
            said = f"training has not ended, {training['steps']:,} steps are done"
        case "patience":
            said = "stopped by patience"
        case "minutes":
            said = f"stopped by the clock after {training['seconds'] / 60:.3g} minutes"
    if restarts := training.get("schedule_restarts"):
        steps = " and ".join(f"{step:,}" for step in restarts)
        said += f"{', ' if said else ''}schedule restarted at step {steps}"
    if not training.get("repeatable", True):
        said += ": not repeatable"
    return said
