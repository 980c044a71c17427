"""The [system] section: a system of the library, or one of your own."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from ...data.base.section import Section
from ...data.base.suggestions import did_you_mean, listed
from ...data.shard.schema import mentions_delay
from ..dynamics.parameters import Draw, Range, Value
from ..dynamics.systems import Parameter, System, get_system
from ..dynamics.systems.delay import DelaySystem
from ..dynamics.systems.hamiltonian import from_hamiltonian
from .plain_values import ConfigError

Split = Literal["train", "validation", "test"]


class SystemSection(Section):
    """A system of the library by name, or one of your own with its equations, or its energy alone.

    Attributes:
        name: Of the library, `dysts:NAME` of that package, or any other of a system of your own.
        size: How many components, of systems of any size.
        equations: State -> its derivative as text, of a system of your own.
        hamiltonian: The energy as text; with `momenta` the equations follow from it; beside equations it is what
            diagnostics call the energy.
        momenta: Coordinate -> its momentum.
        parameters: Name -> a number, or what it is drawn from for each row.
        parameters_by_split: Split -> parameters that have other values there, so that values can be held out.
        initial_state: State -> [low, high], the range of its initial values.
        time_unit: As it is written in figures and files; "1" is none.
        description: In a sentence.
        reference: Where the system comes from.
        period: A natural time scale, in units of time.
    """

    name: str
    size: PositiveInt | None = None
    equations: dict[str, str] | None = None
    hamiltonian: str | None = None
    momenta: dict[str, str] | None = None
    parameters: dict[str, Value] = Field(default_factory=dict)
    parameters_by_split: dict[Split, dict[str, Value]] = Field(default_factory=dict)
    initial_state: dict[str, Range] | None = None
    time_unit: str | None = None
    description: str | None = None
    reference: str | None = None
    period: PositiveFloat | None = None

    def build(self) -> System:
        """The System. Raises TrajstoreError if the parts do not fit together."""
        boxes = {name: (low, high) for name, (low, high) in (self.initial_state or {}).items()}
        for name, (low, high) in boxes.items():
            if not 0 <= high - low < float("inf"):
                raise ConfigError(f"system.initial_state.{name}: got [{low}, {high}], expected [low, high]")
        more = {
            key: value
            for key in ("time_unit", "description", "reference", "period")
            if (value := getattr(self, key)) is not None
        }
        if self.equations is not None or self.hamiltonian is not None:
            return self._own(boxes, more)
        return self._of_library(boxes, more)

    def _own(self, boxes: dict[str, tuple[float, float]], more: dict[str, Any]) -> System:
        """A system of the user's own, with these ranges of initial states and words about it."""
        if self.size is not None:
            raise ConfigError("system.size: is for systems of the library; equations of your own say it")
        if self.initial_state is None:
            pairs = self.momenta or {}
            states = self.equations or (*pairs, *pairs.values())
            raise ConfigError(
                "system.initial_state: missing; a system of your own needs a range [low, high] for "
                f"each of {', '.join(states)}"
            )
        self._check_by_split(self.parameters, self.equations or self.initial_state, "this system")
        parameters = {
            name: self._parameter(name, Parameter(), value) for name, value in self.parameters.items()
        }
        if self.equations is None:
            return from_hamiltonian(self.name, *self._energy(boxes), parameters, boxes, **more)
        if self.momenta is not None:
            raise ConfigError(
                "system.momenta: got equations, too, which already say how the state moves; leave out momenta "
                "(a hamiltonian is then the energy alone), or leave out equations, which follow from hamiltonian "
                "and momenta"
            )
        made = DelaySystem if mentions_delay(self.equations) else System
        return made(self.name, self.equations, parameters, boxes, hamiltonian=self.hamiltonian, **more)

    def _energy(self, boxes: Collection[str]) -> tuple[str, dict[str, str]]:
        """The energy, and coordinate -> momentum, from which equations follow; ranges are of the same states."""
        if self.hamiltonian is None or not self.momenta:
            raise ConfigError(
                "system.momenta: missing; a hamiltonian needs the momentum of each coordinate, as in "
                'momenta = { q = "p" }, or equations beside it'
            )
        states = (*self.momenta, *self.momenta.values())
        if len(set(states)) == len(states) and set(boxes) != set(states):
            raise ConfigError(
                f"system.momenta: makes {', '.join(states)} the states, but initial_state has ranges for "
                f"{', '.join(boxes) or 'none'}; expected the same names in both"
            )
        return self.hamiltonian, self.momenta

    def _of_library(self, boxes: dict[str, tuple[float, float]], more: dict[str, Any]) -> System:
        """A system of the library, with these ranges of initial states and words about it in place of its own."""
        if self.momenta is not None:
            raise ConfigError(
                'system.momenta: goes with a hamiltonian of your own, as in hamiltonian = "p**2/2 + q**2/2"'
            )
        known = get_system(self.name, self.size)
        for kind, given, allowed in (
            ("parameters", self.parameters, known.parameters),
            ("initial_state", boxes, known.equations),
        ):
            for name in given:
                if name not in allowed:
                    raise ConfigError(
                        f"system.{kind}.{name}: {self.name} has no {name!r}; it has {', '.join(allowed)}."
                        + did_you_mean(name, allowed)
                    )
        self._check_by_split(known.parameters, known.equations, self.name)
        parameters = {
            name: self._parameter(name, default, self.parameters.get(name, default.value))
            for name, default in known.parameters.items()
        }
        if known.spatial:
            # A field has one range for all its points.
            boxes = {state: box for box in boxes.values() for state in known.states}
        raw = {**known.to_dict(), **more, "initial_state": {**known.initial_state, **boxes}}
        if self.parameters or any(self.parameters_by_split.values()) or self.size is not None:
            # They are those of the library's own values.
            raw = {
                key: value for key, value in raw.items() if key in more or key not in ("lyapunov", "period")
            }
        return System.from_dict({**raw, "parameters": {k: vars(p) for k, p in parameters.items()}})

    def _parameter(self, name: str, known: Parameter, value: float | Draw) -> Parameter:
        others = {split: given[name] for split, given in self.parameters_by_split.items() if name in given}
        if not others and not isinstance(value, Draw):
            return replace(known, value=value)
        by_split = {str(split): _drawn(other) for split, other in others.items()} or None
        return replace(known, value=math.nan, draw=_drawn(value), by_split=by_split)

    def _check_by_split(self, parameters: Collection[str], states: Collection[str], where: str) -> None:
        """Raises ConfigError if it names what is none of these parameters."""
        for split, given in self.parameters_by_split.items():
            for name in given:
                if name in parameters:
                    continue
                key = f"system.parameters_by_split.{split}.{name}"
                if name in states:
                    raise ConfigError(
                        f"{key}: is a state, not a parameter; expected one of {listed(parameters)}"
                    )
                raise ConfigError(f"{key}: {where} has no parameter {name!r}; it has {listed(parameters)}")


def _drawn(value: float | Draw) -> dict[str, Any]:
    """How rows are given these values, as it is stored."""
    return value.to_dict() if isinstance(value, Draw) else {"values": [value]}
