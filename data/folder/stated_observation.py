"""What a config says of the variables of its shards: which components are observed, with noise, and what is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, NonNegativeFloat, Tag, ValidationError, model_validator

from ..base.errors import FormatError, TrajstoreError
from ..base.plain_words import first_mistake
from ..base.representation import few
from ..base.section import Section
from ..shard.schema import CLEAN_STATE, DERIVATIVE, DIAGNOSTICS

Amount = Annotated[
    Annotated[NonNegativeFloat, Tag("<number>")] | Annotated[dict[str, NonNegativeFloat], Tag("<by name>")],
    Discriminator(lambda value: "<by name>" if isinstance(value, Mapping) else "<number>"),
]


class Noise(Section):
    """Normal observation noise, by one of these; a number for all components, or one by name for some.

    relative  its standard deviation, in parts of that of the component along the same trajectory
    absolute  its standard deviation, in units of the component
    step      its standard deviation, in parts of the root of the mean square of the component's steps from point to
              point along the same trajectory
    """

    relative: Amount | None = None
    absolute: Amount | None = None
    step: Amount | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if sum(amount is not None for amount in (self.relative, self.absolute, self.step)) != 1:
            raise ValueError("expected one of relative, absolute and step")
        return self

    @property
    def amount(self) -> float | dict[str, float]:
        (given,) = (amount for amount in (self.relative, self.absolute, self.step) if amount is not None)
        return given

    def of_each(self, components: Sequence[str]) -> np.ndarray:
        """The amount for each component, (D,) float64."""
        if isinstance(self.amount, dict):
            return np.array([self.amount.get(name, 0.0) for name in components])
        return np.full(len(components), self.amount)


class StatedObservation(Section):
    """The section [observation] of a config: what of a trajectory is stored.

    Attributes:
        components: Names of the states that are observed; all if left out.
        noise: Normal noise: { relative = 0.05 } of each component's deviation along its trajectory, or
            { absolute = 0.1 } in its units, or { step = 1e-3 } of what it changes by from point to point, a number or
            one by name; initial states stay exact.
        clean: Keep the states without noise, too.
        derivative: Keep dx/dt by the equations at the clean states, too.
    """

    components: Annotated[list[str], Field(min_length=1)] | None = None
    noise: Noise | None = None
    clean: bool = False
    derivative: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """That of a stored config, which may be a stranger's. Raises FormatError that names the key."""
        try:
            return cls.model_validate(config.get("observation", {}))
        except ValidationError as error:
            raise FormatError(first_mistake(error, "observation")) from None

    @model_validator(mode="after")
    def _clean_beside_noise(self) -> Self:
        if self.clean and self.noise is None:
            raise ValueError("clean: without noise the states are clean; leave it out, or give noise")
        return self

    def names_among(self, states: Sequence[str]) -> tuple[str, ...]:
        """Those of a system's states that are observed, in its order."""
        return tuple(name for name in states if self.components is None or name in self.components)

    def check_names(self, states: Sequence[str]) -> None:
        """Raises TrajstoreError if the names in the section are not those of a system with these states."""
        for name in self.components or ():
            if name not in states:
                raise TrajstoreError(
                    f"observation.components: no state {name!r:.80}; there are {few(states):.400}"
                )
        names = self.names_among(states)
        if self.components is not None and list(names) != self.components:
            raise TrajstoreError(
                f"observation.components: got {few(self.components):.400}; expected each once and in the system's "
                f"order: {few(names):.400}"
            )
        amount = self.noise.amount if self.noise else 0.0
        for name in amount if isinstance(amount, dict) else ():
            if name not in names:
                raise TrajstoreError(
                    f"observation.noise: {name!r:.80} is not observed; observed are {few(names):.400}"
                )

    @property
    def kept(self) -> list[str]:
        """Variables that are kept beside `state`."""
        return [*([CLEAN_STATE] if self.clean else []), *([DERIVATIVE] if self.derivative else [])]


@dataclass(frozen=True)
class Observed:
    """What `observed` finds.

    states       names of all states of the system; None where it does not name them
    observation  which of them are observed, and how
    kept         variables beside `state`: clean states, slopes, diagnostics
    """

    states: list[str] | None = None
    observation: StatedObservation = field(default_factory=StatedObservation)
    kept: tuple[str, ...] = ()


def observed(config: Mapping[str, Any]) -> Observed:
    """Raises FormatError, which names the key, if a config that may be a stranger's does not say it as ours do."""
    observation = StatedObservation.of(config)
    states = _names(_section(config, "system").get("states"), "system.states")
    try:
        # A measured system need not name its states.
        if known := states or [*dict.fromkeys(observation.components or ())]:
            observation.check_names(known)
    except TrajstoreError as error:
        raise FormatError(str(error)) from None
    diagnostics = _names(_section(config, "dataset").get("diagnostics"), "dataset.diagnostics") or []
    if unknown := set(diagnostics) - set(DIAGNOSTICS):
        raise FormatError(f"dataset.diagnostics: {min(unknown)!r:.80}, expected {', '.join(DIAGNOSTICS)}")
    return Observed(states, observation, (*observation.kept, *diagnostics))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name, {})
    if not isinstance(section, Mapping):
        raise FormatError(f"{name}: expected a section")
    return section


def _names(value: Any, key: str) -> list[str] | None:
    if value is None:
        return None
    sound = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if not sound or len(set(value)) < len(value):
        raise FormatError(f"{key}: got {value!r:.80}, expected a list of names, each once")
    return value
