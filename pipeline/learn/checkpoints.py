"""The two checkpoints of a run: the best weights so far, and all that it takes to go on."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from ...data.base.files import write_json
from ...models import Model
from ..config.learning import Learning
from ..runs.curve import cut_curve
from ..runs.files import RunError, load_checkpoint, save_checkpoint
from ..runs.folder import BEST, EVALUATION, LAST, METRICS, TRAINING, RunConfig, clear
from ..runs.going_on import Beginning, begin_from
from ..runs.standing import Standing
from .learner import Learner
from .ranks import Ranks


@dataclass(frozen=True)
class Checkpoints:
    """Of a run, which the first process writes. Each can be loaded without the folder that it lies in."""

    run: Path
    described: RunConfig
    model: Model
    ranks: Ranks

    def begin(self, config: Learning, *, restart_schedule: bool, overwrite: bool) -> Beginning:
        """From where the training goes on; anew, where it cannot, if what is there may be thrown away.

        Raises RunError if it cannot, or the folder's last checkpoint is none of this run's.
        """
        saved = None
        if self.ranks.first and (self.run / LAST).is_file():
            saved = load_checkpoint(self.run / LAST)
        saved = self.ranks.from_first(saved)
        if saved is None:
            return Beginning(Standing())
        try:
            return begin_from(saved, self.described, config, restart_schedule)
        except RunError as error:
            if not overwrite:
                raise RunError(f"{self.run}: {error}") from None
            if self.ranks.first:
                clear(self.run)
            return Beginning(Standing())
        except (KeyError, TypeError, AttributeError, ValueError):
            raise self.foreign() from None

    def foreign(self) -> RunError:
        return RunError(f"{self.run / LAST}: is no checkpoint of this run; begin again with --overwrite")

    def take_over(self, beginning: Beginning, learner: Learner) -> None:
        """Make the folder that of the run that begins here; what was concluded from the old one goes."""
        if not self.ranks.first:
            return
        now = beginning.standing
        if now.stopped_by is None:
            # Before anything else is another one's.
            self.forget()
        if not beginning.same:
            # In this order a kill in between leaves what the same command begins from once more.
            best = beginning.best or load_checkpoint(self.run / BEST)
            save_checkpoint(self.run / BEST, {**best, "run": self.described.stored()})
            self.save(now, learner)
        self.described.save(self.run)
        cut_curve(self.run, now.step)
        # Whatever stops the training, and be it at once, there are weights to look at.
        if beginning.model is None or not (self.run / BEST).is_file():
            self.keep_best(now.step)

    def forget(self) -> None:
        """Throw away what was concluded from other weights."""
        for name in (TRAINING, METRICS, EVALUATION):
            (self.run / name).unlink(missing_ok=True)

    def conclude(self, now: Standing) -> None:
        """Write what came of a training; it may have been judged in the meantime."""
        self.forget()
        write_json(self.run / TRAINING, now.summary())

    def save(self, now: Standing, learner: Learner, going_on: dict[str, Any] | None = None) -> None:
        """Where the run stands; `going_on` is where a longer one would, see `before`."""
        if self.ranks.first:
            content = {"learner": learner.state_dict(), "standing": asdict(now)}
            if going_on is not None:
                content["going_on"] = going_on
            save_checkpoint(self.run / LAST, {**self._own(), **content})

    def keep_best(self, step: int, validation_mse: float = math.nan) -> None:
        """The present weights as the best so far."""
        if self.ranks.first:
            save_checkpoint(self.run / BEST, {**self._own(), "step": step, "validation_mse": validation_mse})

    def leave(self, now: Standing) -> NoReturn:
        """Raise KeyboardInterrupt, where all is saved that `now` stands for."""
        if not now.best_step:
            self.keep_best(now.step)
        # When one process ends, torchrun ends the others: not before all is saved.
        self.ranks.wait()
        raise KeyboardInterrupt

    def before(self, now: Standing, due: bool) -> dict[str, Any]:
        """What a longer training goes on from, asked for before an evaluation.

        due  whether it would evaluate here, too; if not, it has the best weights from before
        """
        if due or not self.ranks.first:
            return {}
        return {"standing": asdict(now), "best": load_checkpoint(self.run / BEST)}

    def _own(self) -> dict[str, Any]:
        return {"run": self.described.stored(), "model": self.model.state_dict()}
