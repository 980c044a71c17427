"""Predictions that are judged, a network's or others, and what they are judged on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from ...data.batches.dataset import TrajectoryDataset
from ...data.folder.manifest_reading import load_manifest
from ...data.folder.stated_grid import points_of
from ...data.shard.schema import CLEAN_STATE
from ...data.shard.statistics import Moments
from ...data.tasks.task import Task
from ...models import Model
from ..config.learning import EvaluationSection, TaskSection
from ..dynamics.systems import system_of
from ..runs.cut import check_steps, cut_of
from ..runs.files import RunError
from ..runs.folder import RunConfig
from ..runs.samples import dataset_options
from ..runs.splits import open_split
from .forecasters.growth import Stepping
from .forecasters.stepping import SteppingNetwork
from .forecasters.trained import Trained
from .learned_energy import LearnedEnergy
from .metrics.metric import Context
from .predictions import NetworkSamples, Samples, shown_samples
from .rollouts import Group, RolloutPlan
from .stateful import StatefulRuns
from .symbols import symbol_run
from .truth import CURVES, Truth

# Of what is true, whatever the network computes in: rounded to single precision it is off by more than the best are.
EXACT = "float64"


@dataclass(frozen=True)
class Judging:
    """What is judged, and the splits that it is judged on.

    Attributes:
        train: Of the same dataset, in raw units; None where it has none.
        samples: Of the split, with what is foretold of each.
        truth: Integrates the equations, where there are any.
        plan: Where rollouts begin, and how long they are; None where there are none.
        follow: The start and the rollout (n, T, D) of each of a group of them; None where baselines are judged alone.
        plan_free: The same as `plan` of so many rollouts of so many steps, for free runs.
        stepping: What is judged, step by step, where it tells what it carries along.
        whole: Whole rows, run over one step at a time, where inputs are given at every step.
        symbols: Through which regions a free run goes that begins with a group, without so many points.
        field: Samples at states without noise, of a network that learned slopes; None where these are not known.
        energy: That the network has learned, if it has one.
        blind: Whether the network cannot know the first target of a sample.
        fitted: What baselines are fitted on, in raw units: `train`, or that of another dataset; None leaves them out.
    """

    train: TrajectoryDataset | None
    samples: Samples
    truth: Truth | None
    plan: RolloutPlan | None
    follow: Callable[[Group], np.ndarray] | None
    plan_free: Callable[[int, int], RolloutPlan | None]
    stepping: Stepping | None = None
    whole: StatefulRuns | None = None
    symbols: Callable[[Group, int], dict[str, np.ndarray]] | None = None
    field: NetworkSamples | None = None
    energy: LearnedEnergy | None = None
    blind: bool = False
    fitted: TrajectoryDataset | None = None

    @classmethod
    def of(
        cls,
        data: Path,
        split: str,
        config: RunConfig,
        task: Task,
        model: Model,
        evaluation: EvaluationSection,
    ) -> Self:
        """The network of a run on one split of a dataset, which need not be the one trained on.

        Raises RunError if that is none that the run can be judged on.
        """
        section = config.learning.task
        rows = cut_of(section, data)["window"] or points_of(load_manifest(data).config, split)
        if task.spans and config.window is not None and rows > config.window:
            # Rows of another dataset may be longer than what was learned.
            section = section.model_copy(update={"window": config.window})
        alone = cls.of_baselines(data, split, task, section, evaluation)
        test, truth = alone.test, alone.truth
        _check_likeness(data, test, config)
        seen = open_split(data, split, task, **{**dataset_options(config, data), **cut_of(section, data)})
        names = [] if truth is None else list(truth.system.parameters)
        forecaster = Trained(
            model,
            task.sampled(float(test.time[1] - test.time[0])),
            test.windows.length,
            seen.normalizer,
            [names.index(name) for name in section.parameters],
            seen.parameter_normalizer,
        )
        samples = NetworkSamples(model, test, seen)
        return replace(
            alone,
            samples=samples,
            follow=lambda group: group.continued(forecaster),
            stepping=SteppingNetwork(forecaster),
            symbols=partial(symbol_run, forecaster),
            whole=_whole(test, config, model, evaluation),
            field=_field(data, split, config, task, model, test, seen),
            energy=LearnedEnergy.of(model, samples, truth, alone.context),
            blind=model.blind > 0,
        )

    @classmethod
    def of_baselines(
        cls, data: Path, split: str, task: Task, section: TaskSection, evaluation: EvaluationSection
    ) -> Self:
        """Baselines alone, on one split of a dataset. Raises RunError if it has no such trajectories."""
        splits = load_manifest(data).splits
        if not splits[split].trajectories:
            raise RunError(
                f"{data}: has no {split} trajectories; generate it with dataset.{split} > 0, or "
                f"import it with --{split}"
            )
        # By the validation split baselines are chosen.
        check_steps(data, "train", "validation", split)
        cut = cut_of(section, data)
        test = open_split(data, split, task, dtype=EXACT, **cut)
        train = open_split(data, "train", task, dtype=EXACT, **cut) if splits["train"].trajectories else None
        truth = Truth.of(test)
        goes_beyond = truth is not None

        def plan_free(starts: int, steps: int) -> RolloutPlan | None:
            return RolloutPlan.along(test, starts, steps, evaluation.warmup, goes_beyond)

        plan = RolloutPlan.of(test, evaluation, goes_beyond)
        return cls(train, Samples(test), truth, plan, None, plan_free, fitted=train)

    @property
    def test(self) -> TrajectoryDataset:
        """The split in raw units."""
        return self.samples.test

    @property
    def _spread(self) -> Moments:
        """By which errors are told in deviations: of the train split, or of what is judged where there is none."""
        store = self.test.store
        known = self.train is not None
        return store.statistics if known else load_manifest(store.path).splits[store.split].statistics

    @property
    def context(self) -> Context:
        """What metrics over the targets are told."""
        return Context(
            self.test.target_components,
            np.array(self._spread.scales)[self.test.target_places],
            self.samples.times,
            float(np.diff(self.test.time).mean()),
            None if self.truth is None else self.truth.system,
            lyapunov=None if self.truth is None else self.truth.lyapunov,
            learns_clean=self.test.target == CLEAN_STATE,
            driven=self.test.task.driven,
            blind=self.blind,
        )

    def shown(self) -> dict[str, np.ndarray]:
        """Some samples, for figures: true and predicted, of which rows they are and at which time each begins; and
        their truth, smooth, where there are equations, and so few times that lines between them would have corners.
        """
        test, numbers = self.test, shown_samples(self.samples)
        batches = [seen.batch for seen in self.samples.batches(numbers)]
        rows, first = test.places(self.samples.windows(numbers))
        arrays = {
            "time": self.samples.times,
            "true": np.concatenate([batch.true for batch in batches]),
            "predicted": np.concatenate([batch.predicted for batch in batches]),
            "row": rows,
            "begin": test.time[first],
        }
        clean = [batch.clean for batch in batches if batch.clean is not None]
        if clean and test.target != CLEAN_STATE:
            arrays["clean"] = np.concatenate(clean)
        if self.truth is None or len(test.components) > CURVES:
            return arrays
        length = test.windows.length
        curves = [
            self.truth.smooth(row, test.time[at : at + length]) for row, at in zip(rows, first, strict=True)
        ]
        found = [curve for curve in curves if curve is not None]
        if len(found) < len(curves):
            return arrays
        return arrays | {
            "smooth_time": found[0][0] - found[0][0][0],
            "smooth_true": np.stack([states for _, states in found])[..., test.target_places],
        }


def _whole(
    test: TrajectoryDataset, config: RunConfig, model: Model, evaluation: EvaluationSection
) -> StatefulRuns | None:
    """Whole rows of the same split, for a network that is given its inputs at every step."""
    if not test.task.driven:
        return None
    cut = StatefulRuns.whole(len(test.time))
    raw, seen = (
        TrajectoryDataset(test.store.path, test.store.split, test.task, **{**options, **cut})
        for options in (
            {**config.learning.task.cut, "dtype": EXACT},
            dataset_options(config, test.store.path),
        )
    )
    return StatefulRuns(model, raw, seen, evaluation.rollouts)


def _field(
    data: Path,
    split: str,
    config: RunConfig,
    task: Task,
    model: Model,
    test: TrajectoryDataset,
    seen: TrajectoryDataset,
) -> NetworkSamples | None:
    """What a network that learned slopes says of states without noise; what was measured may have any."""
    if system_of(test.store.config) is None:
        return None
    noisy = test.store.config.get("observation", {}).get("noise") is not None
    if not task.rates or (noisy and CLEAN_STATE not in test.store.variables):
        return None
    if not noisy:
        return NetworkSamples(model, test, seen)
    options = {"target": "clean"}
    test = open_split(data, split, task, dtype=EXACT, **{**cut_of(config.learning.task, data), **options})
    seen = open_split(data, split, task, **{**dataset_options(config, data), **options})
    return NetworkSamples(model, test, seen)


def _check_likeness(data: Path, test: TrajectoryDataset, config: RunConfig) -> None:
    """Raise RunError if the run was trained on other components or another step."""
    if list(test.components) != config.components:
        raise RunError(
            f"{data}: components are {', '.join(test.components)}, but the run was trained on "
            f"{', '.join(config.components)}"
        )
    step = float(np.diff(test.time).mean())
    if not np.isclose(step, config.step, rtol=1e-9, atol=0):
        raise RunError(
            f"{data}: its samples are {step:g} apart, but the run was trained on {config.step:g}; "
            "generate it with the same grid"
        )
