"""What a manifest says of its dataset, in the words that card, croissant.json, `info` and figures print.

A manifest may come from a stranger: whatever it holds becomes a short line of printable text, or is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...data.base.errors import FormatError, TrajstoreError
from ...data.folder.manifest import Manifest
from ...data.folder.stated_grid import GRIDS, STARTS, grid_of
from ...data.folder.stated_observation import Observed, observed
from ...data.shard.schema import SPLITS
from .draws import drawing, law
from .phrases import amount, line, number, percentage
from .provenance import provenance_lines, source_ids

if TYPE_CHECKING:
    from ..dynamics.systems import System

UNSPECIFIED = "unspecified"
LONGEST_EQUATION = 10_000
IDENTITY_SHOWN = 16


@dataclass(frozen=True)
class ParameterLine:
    """One parameter: its value, or how rows were given their own, as text; unit ("" where there is none); meaning."""

    name: str
    value: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Description:
    """A manifest in words. `equations` is None for measured data, `derived` where no dataset was the source."""

    manifest: Manifest

    @property
    def _dataset(self) -> Mapping[str, Any]:
        return self.manifest.config["dataset"]

    @property
    def _system(self) -> Mapping[str, Any]:
        return self.manifest.system

    @property
    def title(self) -> str:
        return line(self._dataset.get("title")) or f"Trajectories of {self.name}"

    @property
    def license(self) -> str:
        return line(self._dataset.get("license")) or UNSPECIFIED

    @property
    def creator(self) -> str:
        return line(self._dataset.get("creator")) or UNSPECIFIED

    @property
    def name(self) -> str:
        """The system's name."""
        return line(self._system.get("name")) or "a system without a name"

    @property
    def about(self) -> str:
        """One or two sentences on the system."""
        return line(self._system.get("description"))

    @property
    def reference(self) -> str:
        return line(self._system.get("reference"))

    @property
    def states(self) -> list[str]:
        """Names of the components."""
        return [line(name) for name in self.manifest.components]

    @cached_property
    def _seen(self) -> Observed:
        try:
            return observed(self.manifest.config)
        except FormatError:
            return Observed()

    @property
    def _states(self) -> list[str]:
        """Names of all states of the system, also of those that are not observed."""
        return (self._seen.observation.components and self._seen.states) or self.manifest.components

    @property
    def observed(self) -> str:
        """What was observed, in a phrase; "" where it is all states as they are."""
        phrases, observation = [], self._seen.observation
        if observation.components:
            phrases.append(f"{len(self.manifest.components)} of {len(self._states)} states")
        if observation.noise is not None:
            unit = ""
            if observation.noise.relative is not None:
                unit = " times the spread of each component along its row"
            elif observation.noise.step is not None:
                unit = " times what each component changes by from point to point"
            phrases.append(f"normal noise of standard deviation {amount(observation.noise.amount)}{unit}")
        if self._seen.kept:
            phrases.append(f"also stored: {', '.join(self._seen.kept)}")
        return "; ".join(phrases)

    @cached_property
    def equations(self) -> dict[str, str] | None:
        """The right-hand side of each state, as text, in their order."""
        equations = self._system.get("equations")
        if not isinstance(equations, Mapping):
            return None
        # Of a field there is one for all components.
        sides = equations if self.field else self._states
        return {line(name): line(equations.get(name, "?"), LONGEST_EQUATION) for name in sides}

    @cached_property
    def understood(self) -> "System | None":
        """The system as SymPy knows it; None if it has no equations, or none that can be parsed."""
        from ..dynamics.systems import System

        try:
            return System.from_dict(self._system) if self.equations is not None else None
        except (TrajstoreError, RecursionError):
            return None

    @property
    def parameters(self) -> list[ParameterLine]:
        parameters = self._system.get("parameters")
        lines = []
        for name, entry in (parameters if isinstance(parameters, Mapping) else {}).items():
            entry = entry if isinstance(entry, Mapping) else {"value": entry}
            value, unit = entry.get("value"), line(entry.get("unit"))
            meaning = line(entry.get("meaning"))
            text = drawing(entry.get("draw"), entry.get("by_split")) if value is None else number(value)
            lines.append(ParameterLine(line(name), text, "" if unit == "1" else unit, meaning))
        return lines

    @property
    def held_out(self) -> list[str]:
        """Names of the parameters that have values of their own in some splits."""
        parameters = self._system.get("parameters")
        entries = parameters.items() if isinstance(parameters, Mapping) else ()
        return [line(name) for name, entry in entries if isinstance(entry, Mapping) and entry.get("by_split")]

    @property
    def boxes(self) -> dict[str, tuple[str, str]]:
        """From which range the initial value of each state was drawn; empty if that is not known."""
        boxes = self._system.get("initial_state")
        if not isinstance(boxes, Mapping):
            return {}
        return {
            line(name): (number(box[0]), number(box[1]))
            for name in self._states
            if isinstance(box := boxes.get(name), list | tuple) and len(box) == 2
        }

    @property
    def starts(self) -> str:
        """How the initial states were drawn, where it was not uniformly in `boxes`: the section as text, or ""."""
        return law(self.manifest.config.get("initial_states"))

    @property
    def starts_by_split(self) -> dict[str, str]:
        """The same of each split that has a section of its own."""
        own = self.manifest.config.get(STARTS)
        sections = own.items() if isinstance(own, Mapping) else ()
        return {line(split): told for split, section in sections if (told := law(section))}

    @cached_property
    def _kind(self) -> "type[System] | None":
        """The class of a system that is none of ordinary equations, whose descriptions name no kind."""
        kind = self._system.get("kind")
        if kind is None:
            return None
        # SymPy takes longer to import than a manifest to be told.
        from ..dynamics.systems import System

        return System.of_kind(kind)

    @property
    def field(self) -> bool:
        """Are the components the values of one field, drawn together?"""
        return self._kind is not None and self._kind.spatial

    @property
    def delayed(self) -> bool:
        """Do the equations look back, at first to a constant past?"""
        return self._kind is not None and self._kind.retarded

    @property
    def time_unit(self) -> str:
        """ "" where there is none."""
        unit = line(self._system.get("time_unit"))
        return "" if unit == "1" else unit

    @property
    def grid(self) -> str:
        """The time grid in a phrase, and those of splits that have another."""
        config = self.manifest.config
        own = config["grid"].get(GRIDS, {})
        told = [f"in {split} {self._grid(grid_of(config, split))}" for split in SPLITS if split in own]
        common = [self._grid(grid_of(config, None))] if len(told) < len(SPLITS) else []
        return "; ".join([*common, *told])

    def _grid(self, grid: Mapping[str, Any]) -> str:
        points, duration = grid["points"], grid["duration"]
        unit = f" {self.time_unit}" if self.time_unit else ""
        if "times_sha256" in grid:
            return f"{number(points)} points over {number(duration)}{unit}, as the variable time gives them"
        step = ""
        if isinstance(points, int) and isinstance(duration, int | float) and points > 1:
            step = f", a step of {duration / (points - 1):.6g}{unit}"
        return f"{number(points)} points, t = 0 to {number(duration)}{unit}{step}"

    @property
    def engine(self) -> str:
        """The integrator in a phrase; "" for measured data."""
        engine = self.manifest.config["engine"]
        if self.equations is None:
            return ""
        words = " ".join(line(engine[key]) for key in ("name", "method") if engine.get(key))
        tolerance = engine.get("tolerance")
        shown = f", tolerance {tolerance:.3g}" if isinstance(tolerance, int | float) else ""
        step = engine.get("max_step")
        shown += f", steps of {step:.3g} at most" if isinstance(step, int | float) else ""
        return f"{words}{shown}, {line(self.manifest.config['grid']['resample'])} output"

    @property
    def seed(self) -> str:
        """Of its rows; "" of a dataset that was made from others, whose rows have the seeds of these."""
        return "" if self.derived else number(self._dataset["seed"])

    @property
    def files(self) -> str:
        """How many HDF5 files its rows are in."""
        count = len(self.manifest.shards)
        return f"{count} HDF5 file{'' if count == 1 else 's'}"

    @property
    def dtype(self) -> str:
        return line(self._dataset["dtype"])

    @property
    def date(self) -> str:
        """When it was published, as its config says; "" if it does not."""
        return line(self._dataset.get("date"))

    @property
    def derived(self) -> dict[str, Any] | None:
        """What was done to which sources: `operation`, `arguments`, `sources` with their ids."""
        derived = self.manifest.config.get("derived")
        return dict(derived) if derived else None

    @cached_property
    def provenance(self) -> list[str]:
        """What was done to which sources, a line each; none for a dataset that was generated."""
        return provenance_lines(self.derived) if self.derived else []

    @property
    def sources(self) -> list[str]:
        """Ids of the datasets that it was made from; none of one that was generated or imported."""
        return source_ids(self.derived or {})

    @property
    def trajectories(self) -> int:
        return sum(split.trajectories for split in self.manifest.splits.values())

    @property
    def failed(self) -> int:
        return sum(split.failed for split in self.manifest.splits.values())

    @property
    def failures(self) -> str:
        """How many rows there are, and how many of them failed."""
        if not self.failed:
            return f"{self.trajectories:,}, none failed"
        part = percentage(self.failed, self.trajectories)
        return f"{self.trajectories:,}, of which {self.failed:,} failed ({part})"

    @property
    def short_id(self) -> str:
        return line(self.manifest.id)[:IDENTITY_SHOWN]
