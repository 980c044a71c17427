"""Learners by the name that a config gives them, and the keys of each. Nothing here imports torch."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ...data.base.registry import Registry
from ...data.base.section import Section
from .named import NamedSection

LEARNERS: Registry[Any] = Registry(
    "learner",
    {
        "first-order": "first_order:FirstOrder",
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


SETTINGS: dict[str, type[Section]] = {
    "first-order": Section,
    "least-squares": LeastSquaresSettings,
    "levenberg-marquardt": LevenbergMarquardtSettings,
}


class LearnerSection(NamedSection):
    """What changes the weights, and its settings.

    Attributes:
        name: "first-order": the optimiser of [training]. "levenberg-marquardt": as [refinement] has it.
            "least-squares": the last layer by ridge regression, in one pass over the samples, where the model is made
            for it. Or one of your own.
    """

    registry: ClassVar[Registry[Any]] = LEARNERS
    name: str = "first-order"

    @classmethod
    def own_settings(cls, name: str) -> type[BaseModel] | None:
        # Of ours without torch, which takes seconds to import.
        return SETTINGS.get(name) or super().own_settings(name)
