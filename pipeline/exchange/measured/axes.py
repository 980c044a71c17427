"""Which dimension of an array is which: as the file names them, as the user does, or in the usual order."""

import re
from pathlib import Path

import numpy as np

from ....data.base.errors import DataError
from .measurements import Columns
from .variables import Variable, Variables

TRAJECTORY, TIME, COMPONENT = ROLES = ("trajectory", "time", "component")
# What the dimensions are called elsewhere, in small letters and in the singular.
CALLED = {
    TRAJECTORY: (
        "trajectory", "traj", "run", "realization", "realisation", "ensemble", "ensemble_member", "member", "trial",
        "simulation", "sim", "episode", "experiment", "case", "replicate", "row", "batch", "initial_condition",
    ),
    TIME: ("time", "t", "timestep", "time_step", "timestamp", "datetime", "date", "frame"),
    COMPONENT: ("component", "comp", "state", "state_variable", "variable", "var", "channel", "feature"),
}  # fmt: skip
ROLE_OF = {name: role for role, names in CALLED.items() for name in names}
AFFIXES = re.compile(r"^(n|num|nr|number_of|no)_|_(id|idx|index|number|dim|count)$")
# The order of dimensions without names, by what an array holds and how many there are.
USUAL = {
    "states": {1: (TIME,), 2: (TIME, COMPONENT), 3: ROLES},
    "one component": {1: (TIME,), 2: (TRAJECTORY, TIME)},
    "times": {1: (TIME,), 2: (TRAJECTORY, TIME)},
    "a parameter": {0: (), 1: (TRAJECTORY,)},
}
TRAJECTORY_ROLES = ("trajectory_id", "timeseries_id", "profile_id")


class Axes:
    """What is known of a file's dimensions.

    timed  name of the variable of the times, if there is one: where it has one dimension, that is the time's
    what   the arrays of the states hold, a key of USUAL
    """

    def __init__(
        self, path: Path, variables: Variables, columns: Columns, timed: str | None, what: str
    ) -> None:
        self._path, self._variables, self._columns = path, variables, columns
        order = ",".join(max(USUAL[what].values(), key=len))
        self._mend = f"say their order, as in --dimensions {order}"
        self._roles: dict[str, str] = {}
        for name, variable in variables.items():
            role = _stated(variable)
            first = variable.dimensions[0] if variable.dimensions else None
            if role and first is not None and (role == TRAJECTORY or variable.dimensions == (first,)):
                self._tell(first, role, name)
        dimensions = variables[timed].dimensions if timed is not None and timed in variables else ()
        if len(dimensions) == 1 and dimensions[0] is not None:
            self._tell(dimensions[0], TIME, timed or "")
        # Along which dimension, by role, the states were found to lie.
        self._of_states: dict[str, str | None] = {}

    def _tell(self, dimension: str, role: str, by: str) -> None:
        known = self._role(dimension)
        if known not in (None, role):
            raise DataError(
                f"{self._path}: {by} makes the dimension {dimension} that of the {role}, but it is that of the "
                f"{known}; {self._mend}"
            )
        self._roles[dimension] = role

    def _role(self, dimension: str | None) -> str | None:
        if dimension is None:
            return None
        if dimension in self._roles:
            return self._roles[dimension]
        name = AFFIXES.sub("", dimension.rpartition("/")[2].casefold())
        return ROLE_OF.get(name) or ROLE_OF.get(name.removesuffix("s"))

    def arrange(self, name: str, values: np.ndarray, what: str) -> tuple[np.ndarray, dict[str, str | None]]:
        """Values with the dimensions of `what`, a key of USUAL, in their usual order, and the name of each by role.

        A dimension that is missing has one entry; dimensions of one entry that are none of these are left out. Raises
        DataError where it cannot be told which is which.
        """
        variable = self._variables[name]
        wanted = max(USUAL[what].values(), key=len)
        named: tuple[str | None, ...] = variable.dimensions or (None,) * values.ndim
        if (
            what in ("times", "a parameter")
            and not variable.dimensions
            and values.ndim == 2
            and 1 in values.shape
        ):
            # A column, or a row: one dimension that a program wrote as two.
            values, named = values.reshape(-1), (None,)
        given = self._given(values, named, what)
        self._check_whole(name, variable)
        if given:
            roles = self._as_told(name, values, given, wanted)
        elif any(each is not None for each in named):
            roles = self._by_name(name, values, named, wanted)
        else:
            roles = self._usual(name, variable, values, what)
        kept = [place for place, role in enumerate(roles) if role is not None]
        values = values.reshape([values.shape[place] for place in kept])
        found = {role: named[place] for place, role in enumerate(roles) if role is not None}
        order = [role for role in roles if role is not None]
        values = values.transpose([order.index(role) for role in wanted if role in order])
        for place, role in enumerate(wanted):
            if role not in order:
                values = np.expand_dims(values, place)
        return values, found

    def _given(self, values: np.ndarray, named: tuple[str | None, ...], what: str) -> tuple[str, ...]:
        """The order that the user says of an array; empty where it says nothing of it.

        It is that of the states. Times and parameters lie along some of their dimensions, in the same order, unless
        their own are named.
        """
        if what in ("states", "one component"):
            return self._columns.dimensions
        wanted = max(USUAL[what].values(), key=len)
        roles = [role for dimension in named if (role := self._role(dimension))]
        if values.ndim < 2 or (roles and set(roles) <= set(wanted) and len(set(roles)) == len(roles)):
            return ()
        return tuple(role for role in self._columns.dimensions if role in wanted)

    def note_states(self, found: dict[str, str | None]) -> None:
        self._of_states.update(found)

    def check_along(self, name: str, found: dict[str, str | None]) -> None:
        """Raises DataError if a variable lies along another dimension than the states do."""
        for role, dimension in found.items():
            other = self._of_states.get(role)
            if dimension is not None and other is not None and dimension != other:
                raise DataError(
                    f"{self._path}: {name} lies along the dimension {dimension}, the states along {other}; expected "
                    f"the same for both"
                )

    def _as_told(
        self, name: str, values: np.ndarray, given: tuple[str, ...], wanted: tuple[str, ...]
    ) -> list[str | None]:
        if len(given) != values.ndim or not set(given) <= set(wanted) or TIME not in given:
            raise DataError(
                f"{self._path}: {name} has shape {values.shape}, --dimensions names {', '.join(given)}; expected a "
                f"name for each, of {', '.join(wanted)}, time among them"
            )
        return list(given)

    def _usual(self, name: str, variable: Variable, values: np.ndarray, what: str) -> list[str | None]:
        usual = USUAL[what]
        if values.ndim not in usual:
            wanted = ", ".join(max(usual.values(), key=len))
            raise DataError(f"{self._path}: {name} has shape {values.shape}, expected ({wanted})")
        if variable.doubt and values.ndim > 1:
            raise DataError(f"{self._path}: {name}, of shape {values.shape}, {variable.doubt}; {self._mend}")
        return list(usual[values.ndim])

    def _by_name(
        self, name: str, values: np.ndarray, named: tuple[str | None, ...], wanted: tuple[str, ...]
    ) -> list[str | None]:
        roles = [self._role(dimension) for dimension in named]
        single = [place for place, role in enumerate(roles) if role is None and values.shape[place] == 1]
        unknown = [place for place, role in enumerate(roles) if role is None and place not in single]
        known = [role for role in roles if role is not None]
        wrong = len(set(known)) < len(known) or not set(known) <= set(wanted)
        free = [role for role in wanted if role not in known]
        if len(unknown) == 1 and free and not wrong:
            # What is left is told by what all the others are, and without a time there is no trajectory.
            if TIME in free:
                roles[unknown[0]] = TIME
            elif len(free) == 1:
                roles[unknown[0]] = free[0]
            elif self._has_labels(named[unknown[0]]):
                roles[unknown[0]] = COMPONENT
        still = [place for place, role in enumerate(roles) if role is None and place not in single]
        if wrong or still or (TIME in wanted and TIME not in roles):
            shown = ", ".join(dimension or "?" for dimension in named)
            raise DataError(
                f"{self._path}: {name} has the dimensions ({shown}) of sizes {values.shape}; which is the "
                f"{', the '.join(wanted)} cannot be told from their names. {self._mend[0].upper()}{self._mend[1:]}"
            )
        return roles

    def _has_labels(self, dimension: str | None) -> bool:
        variable = self._variables.get(dimension or "")
        return variable is not None and variable.read().dtype.kind in "SUO"

    def namer(self, found: dict[str, str | None]) -> str | None:
        """What may name the components: the coordinate of their dimension, else a variable "component"."""
        names = (found.get(COMPONENT), COMPONENT)
        return next((name for name in names if name is not None and name in self._variables), None)

    def _check_whole(self, name: str, variable: Variable) -> None:
        """Raises DataError if trajectories of several lengths lie behind each other, as in CF's ragged arrays."""
        along = {dimension.rpartition("/")[2] for dimension in variable.dimensions if dimension}
        for other, counts in self._variables.items():
            ragged = counts.said("sample_dimension") in along or (
                counts.said("instance_dimension") is not None
                and set(counts.dimensions) & set(variable.dimensions)
            )
            if ragged:
                raise DataError(
                    f"{self._path}: {name} is a ragged array: {other} says which part belongs to which trajectory; "
                    "write each trajectory to a file or row of its own, or a table with a column for its number"
                )


def _stated(variable: Variable) -> str | None:
    """The role of a coordinate, by the conventions CF."""
    if variable.said("cf_role") in TRAJECTORY_ROLES or variable.said("standard_name") == "realization":
        return TRAJECTORY
    return TIME if is_time(variable) else None


def is_time(variable: Variable) -> bool:
    """Does a variable say that it holds times?"""
    return (
        variable.said("axis") == "T"
        or variable.said("standard_name") == "time"
        or " since " in (variable.unit or "")
    )
