"""Going on with a run whose config asks for more: what was done must be the beginning of what is asked for."""

from dataclasses import dataclass, replace
from typing import Any

from ..config.learning import Learning
from .files import RunError
from .folder import LENGTHS, RunConfig
from .loss_units import STANDARDISED
from .standing import Standing

TRAIN, REFINE = 0, 1


@dataclass(frozen=True)
class Beginning:
    """From where a training goes on.

    standing        as of a run that nobody stopped
    model, learner  their states; None begins with fresh ones
    best            the checkpoint of the best weights, where the folder holds one of an evaluation too many
    same            whether it is the very run that the checkpoint is of
    ended           as the checkpoint stands, where `standing` is before its end, for a learner with no use for more
    """

    standing: Standing
    model: dict[str, Any] | None = None
    learner: dict[str, Any] | None = None
    best: dict[str, Any] | None = None
    same: bool = True
    ended: Standing | None = None


def begin_from(saved: dict[str, Any], described: RunConfig, new: Learning, restart: bool) -> Beginning:
    """From where the run of a checkpoint goes on, perhaps with a config that asks for more.

    restart  begin the schedule of learning rates anew where what was done is not the beginning of what is asked for

    Raises RunError if fewer steps or minutes are asked for than were done, or the schedule would have to be another
    from the first step on; KeyError, TypeError, AttributeError or ValueError if it is no checkpoint of a run.
    """
    before = RunConfig(**saved["run"])
    old, now = before.learning, Standing(**{"loss_units": STANDARDISED, **saved["standing"]})
    if now.phase and not now.ended:
        # Checkpoints did not always tell.
        taken = [old.training.steps if old.refinement.steps else now.step, old.refinement.steps]
        now.ended = [(steps, "steps") for steps in taken[: now.phase]]
    whole = Beginning(now, saved["model"], saved["learner"])
    if before.identity == described.identity:
        return whole
    if not described.difference(before).keys() <= LENGTHS:
        raise ValueError("another run")
    done = [*(steps for steps, _ in now.ended), now.phase_step, 0][:2]
    _check_lengths(now, done, old, new)
    now.stopped_by = None
    if _is_beginning(now, old, new):
        return replace(_reopened(whole, saved.get("going_on"), old, new), same=False)
    if not restart:
        raise RunError(_why_not(old, new))
    begun = replace(
        now,
        phase=TRAIN,
        phase_step=done[TRAIN],
        stale=0,
        ended=[],
        schedule_start=done[TRAIN],
        restarts=[*now.restarts, now.step],
    )
    # Once a refinement has begun, the checkpoint holds its state instead.
    learner = saved["learner"] if now.phase == TRAIN or not old.refinement.steps else None
    return Beginning(begun, saved["model"], learner, same=False)


def _check_lengths(now: Standing, done: list[int], old: Learning, new: Learning) -> None:
    """Raises RunError where less is asked for than was done, or nothing is left to do."""
    for number, section in enumerate(("training", "refinement")):
        before, asked = getattr(old, section).steps, getattr(new, section).steps
        if asked != before and asked <= done[number] and done[number]:
            raise RunError(
                f"{section}.steps: got {asked}, but {done[number]} are done; ask for more, or train anew in another "
                "folder"
            )
    minutes = new.training.minutes
    if minutes is not None and now.seconds >= 60 * minutes:
        raise RunError(
            f"training.minutes: got {minutes:g}, but the run has trained for {now.seconds / 60:.3g}; give more, or "
            "leave it out"
        )


def _is_beginning(now: Standing, old: Learning, new: Learning) -> bool:
    """Is what was done what the new config would have done, too?"""
    if old.training.steps == new.training.steps:
        return True
    # The state of a first-order learner is gone once a refinement has begun.
    return new.training.schedule == "constant" and (now.phase == TRAIN or not old.refinement.steps)


def _reopened(whole: Beginning, going_on: dict[str, Any] | None, old: Learning, new: Learning) -> Beginning:
    """Where the run would stand now if it had been asked for more from the first."""
    now, last = whole.standing, REFINE if old.refinement.steps else TRAIN
    if now.phase <= last:
        found = whole if going_on is None else _from(whole, going_on)
        return found if now.phase == TRAIN or new.refinement.steps else replace(found, learner=None)
    steps, why = now.ended[last]
    if why != "steps" or (new.refinement.steps if last else new.training.steps) <= steps:
        # It stays ended; a phase that comes after it has a learner of its own.
        return replace(whole, learner=None) if last == TRAIN and new.refinement.steps else whole
    if going_on is not None:
        return replace(_from(whole, going_on), ended=now)
    begun = replace(now, phase=last, phase_step=steps, ended=now.ended[:last])
    return replace(whole, standing=begun, ended=now)


def _from(whole: Beginning, going_on: dict[str, Any]) -> Beginning:
    return replace(whole, standing=Standing(**going_on["standing"]), best=going_on.get("best"))


def _why_not(old: Learning, new: Learning) -> str:
    steps = f"training.steps: was {old.training.steps}, is {new.training.steps}"
    if old.refinement.steps and new.training.schedule == "constant":
        reason = "the refinement, which comes after them, has begun"
    else:
        reason = (
            "the learning rate falls to zero at the last of them, so that a longer training would have been another "
            "one from the first step on"
        )
    return (
        f"{steps}, but {reason}. Give --restart-schedule to begin the schedule anew with the steps that are left, or "
        "train anew in another folder"
    )
