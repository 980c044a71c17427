"""Learners by the name that a config gives them, and the keys of each. Nothing here imports torch."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ...data.base.registry import Registry
from ...data.base.section import Section
from .named import NamedSection

LEARNERS: Registry[Any] = Registry(
    "learner",
    {
        "drawn-features": "drawn_features:DrawnFeatures",
        "first-order": "first_order:FirstOrder",
        "forced": "forced:Forced",
        "least-squares": "least_squares:LeastSquares",
        "levenberg-marquardt": "levenberg_marquardt:LevenbergMarquardt",
    },
    package="trajstore.pipeline.learn",
    base="learner:Learner",
)


class LeastSquaresSettings(Section):
    """Of `least-squares`.

    Attributes:
        ridge: By which squared weights count beside the mean squared error; 0: not at all.
    """

    ridge: NonNegativeFloat = 1e-6


class DrawnFeaturesSettings(Section):
    """Of `drawn-features`.

    Attributes:
        ridge: By which squared weights count beside the mean squared error; 0: not at all, for data without noise.
    """

    ridge: NonNegativeFloat = 0.0


class LevenbergMarquardtSettings(Section):
    """Of `levenberg-marquardt`, and of [refinement].

    Attributes:
        samples: Of a batch, that give the curvature.
        probes: Random directions for each of them; a sample of no more outputs than that is taken exactly.
        memory: The part of the curvature that is kept from step to step.
        damping: At the beginning.
    """

    samples: PositiveInt = 1_000
    probes: PositiveInt = 4
    memory: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    damping: PositiveFloat = 1e-4


class ForcedSettings(Section):
    """Of `forced`, beside the optimiser of [training].

    Attributes:
        forcing: "adaptive" or "constant": the state that goes on is (1 - alpha) times the network's and alpha times
            the data's. "sparse": the network's, which the data's replaces every `interval` steps.
        alpha: How far states are drawn to the data, 0 to 1; where it adapts, at the beginning.
        interval: From one replacement to the next, where they are sparse.
        adapt_every: Steps from one look at the Jacobians to the next.
        memory: The part of alpha that is kept where it could be smaller.
        penalty: By which squared weights, and what the diagonal is off 1, count beside the squared error.
        noise: Deviation of noise that is added to the inputs of each batch, in the units that the network sees.
    """

    forcing: Literal["adaptive", "constant", "sparse"] = "adaptive"
    alpha: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    interval: PositiveInt = 16
    adapt_every: PositiveInt = 5
    memory: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    penalty: NonNegativeFloat = 0.0
    noise: NonNegativeFloat = 0.0


SETTINGS: dict[str, type[Section]] = {
    "drawn-features": DrawnFeaturesSettings,
    "first-order": Section,
    "forced": ForcedSettings,
    "least-squares": LeastSquaresSettings,
    "levenberg-marquardt": LevenbergMarquardtSettings,
}


class LearnerSection(NamedSection):
    """What changes the weights, and its settings.

    Attributes:
        name: "first-order": the optimiser of [training]. "forced": the same along the network's own trajectories,
            which are drawn to the data (`shplrnn`, `alrnn`, `dendplrnn`). "levenberg-marquardt": as [refinement] has
            it. "least-squares": the last layer by ridge regression, in one pass over the samples, where the model is
            made for it. "drawn-features": draws the hidden layer of `random-features` from the first batch, and
            solves for the last. Or one of your own.
    """

    registry: ClassVar[Registry[Any]] = LEARNERS
    name: str = "first-order"

    @classmethod
    def own_settings(cls, name: str) -> type[BaseModel] | None:
        # Of ours without torch, which takes seconds to import.
        return SETTINGS.get(name) or super().own_settings(name)
