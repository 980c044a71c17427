"""The file format, version 1: the one schema from which writer, structure check and docs derive."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal, get_args

FORMAT = "trajstore"
VERSION = 1
# Of a manifest that lists files with the records of its shards; the shards themselves are of version 1.
PARTS_VERSION = 2
# Of a manifest whose config gives a split times or initial states of its own, in parts or not.
BY_SPLIT_VERSION = 3
CONVENTIONS = "CF-1.8"
SHARD_SUFFIX = ".h5"

SPLITS = ("train", "validation", "test")
STATE_DTYPES = ("float32", "float64")
SHARD_NAME = rf"^({'|'.join(SPLITS)})-[0-9]{{5,9}}\.h5$"
DIMENSIONS = ("trajectory", "time", "component")
PARAMETER_ROLE = "parameter"
# Of a system whose equations call for states at an earlier time, as in "-delayed(x, tau)".
DELAY_KIND = "delay"
DELAYED = "delayed"
DELAYED_CALL = re.compile(rf"\b{DELAYED}\s*\(")


class Status(IntEnum):
    """What became of a row. Rows other than OK hold NaN in `state`; of measured ones values are MISSING."""

    OK = 0
    DIVERGED = 1
    STEP_LIMIT = 2
    SOLVER_FAILED = 3
    MISSING = 4


STATUS_MEANINGS = " ".join(status.name.lower() for status in Status)


@dataclass(frozen=True)
class Variable:
    """One HDF5 dataset of a shard. `dtypes` are NumPy names; "string" is variable-length UTF-8."""

    name: str
    dimensions: tuple[str, ...]
    dtypes: tuple[str, ...]
    meaning: str

    @property
    def is_scale(self) -> bool:
        return self.dimensions == (self.name,)


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("trajectory", ("trajectory",), ("int64",), "global row number within the split"),
        Variable("time", ("time",), ("float64",), "the grid, the same for every trajectory"),
        Variable("component", ("component",), ("string",), "names of the state's components"),
        Variable("state", DIMENSIONS, STATE_DTYPES, "the trajectories; NaN where status is not 0"),
        Variable(
            "initial_state",
            ("trajectory", "component"),
            ("float64",),
            "exact initial state, so that a row can be integrated again",
        ),
        Variable("status", ("trajectory",), ("int8",), "0 is sound; see flag_values and flag_meanings"),
    )
}

SYSTEM_STATE = "system_state"
CLEAN_STATE = "clean_state"
DERIVATIVE = "derivative"
Diagnostic = Literal["energy_drift", "lyapunov_exponent"]
DIAGNOSTICS: tuple[Diagnostic, ...] = get_args(Diagnostic)
ENERGY_DRIFT, LYAPUNOV_EXPONENT = DIAGNOSTICS
# Where the rows come from, in a dataset that was selected, merged or imported from others.
ORIGIN = ("source", "source_row")

OPTIONAL_VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(
            SYSTEM_STATE,
            (SYSTEM_STATE,),
            ("string",),
            "names of all states of the system, where fewer are observed; then the second dimension of initial_state",
        ),
        Variable(CLEAN_STATE, DIMENSIONS, STATE_DTYPES, "state without the observation noise"),
        Variable(DERIVATIVE, DIMENSIONS, STATE_DTYPES, "dx/dt by the equations, at the clean state"),
        Variable(
            ENERGY_DRIFT,
            ("trajectory",),
            ("float64",),
            "largest change of the energy along the row, relative to the energy at its start",
        ),
        Variable(
            LYAPUNOV_EXPONENT,
            ("trajectory",),
            ("float64",),
            "largest Lyapunov exponent over the time that was integrated, a unit of time",
        ),
        Variable("source", ("trajectory",), ("int32",), "number of the source in the config's list, from 0"),
        Variable(
            "source_row", ("trajectory",), ("int64",), "number of the trajectory in that source's split"
        ),
    )
}


KNOWN_VARIABLES = {**VARIABLES, **OPTIONAL_VARIABLES}


def parameter_variable(name: str) -> Variable:
    """The variable that holds one parameter of the system, a value a row."""
    return Variable(name, ("trajectory",), ("float64",), "a parameter of the system; role = parameter")


def variables_with(optional: Collection[str], parameters: Iterable[str] = ()) -> dict[str, Variable]:
    """The variables of a shard that has these optional ones and these parameters, by name."""
    schema = {
        **VARIABLES,
        **{name: variable for name, variable in OPTIONAL_VARIABLES.items() if name in optional},
        **{name: parameter_variable(name) for name in parameters},
    }
    if SYSTEM_STATE in optional:
        starts = schema["initial_state"]
        schema["initial_state"] = replace(starts, dimensions=("trajectory", SYSTEM_STATE))
    return schema


@dataclass(frozen=True)
class Attribute:
    """One attribute of the file's root group; `kind` is str (UTF-8) or int (64 bits)."""

    name: str
    kind: type
    meaning: str


ATTRIBUTES = {
    attribute.name: attribute
    for attribute in (
        Attribute("format", str, f'always "{FORMAT}"'),
        Attribute("format_version", int, f"always {VERSION} in this version"),
        Attribute("Conventions", str, f'"{CONVENTIONS}": dimension scales, units, flag_values'),
        Attribute("title", str, "one line for people"),
        Attribute("license", str, "the terms under which the data may be used"),
        Attribute("creator", str, "who made it"),
        Attribute("system_name", str, "name of the dynamical system"),
        Attribute(
            "system", str, "JSON: states, equations as text unless measured, parameters, units, reference"
        ),
        Attribute("engine", str, "JSON: name, version, method, tolerances of the integrator"),
        Attribute(
            "resampling",
            str,
            '"dense" (the solver\'s own interpolant), "linear", "none" of measured data, or "cubic" of such that '
            "import resampled",
        ),
        Attribute("seed", int, "seed of the initial states; of imported data that of the split"),
        Attribute("split", str, " | ".join(SPLITS)),
        Attribute("first_row", int, "global number of the first row in this file"),
        Attribute("config", str, "canonical JSON of the configuration without the sizes of the splits"),
        Attribute("config_hash", str, "SHA-256 of that JSON"),
        Attribute("software", str, "JSON: package versions, and the git commit of the source if known"),
        Attribute("content_hash", str, "SHA-256 over names, dtypes, shapes and bytes of all variables"),
    )
}


def mentions_delay(equations: Mapping[str, Any]) -> bool:
    """Does a right-hand side call for a delayed state? They may be a stranger's."""
    return any(DELAYED_CALL.search(str(side)) for side in equations.values())


def shard_name(split: str, index: int) -> str:
    """File name of a split's shard, `train-00000.h5`."""
    return f"{split}-{index:05d}{SHARD_SUFFIX}"


def without_sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the sizes of the splits: what decides the content of a row."""
    dataset = {key: value for key, value in config.get("dataset", {}).items() if key not in SPLITS}
    return {**config, "dataset": dataset}


def markdown() -> str:
    """The schema as the two tables of docs/format.md."""
    lines = ["| variable | dimensions | dtype | what it is |", "|---|---|---|---|"]
    for variable in (*VARIABLES.values(), parameter_variable("<parameter>"), *OPTIONAL_VARIABLES.values()):
        dimensions, dtypes = ", ".join(variable.dimensions), " or ".join(variable.dtypes)
        lines.append(f"| `{variable.name}` | {dimensions} | {dtypes} | {variable.meaning} |")
    lines += ["", "| attribute | type | what it is |", "|---|---|---|"]
    for attribute in ATTRIBUTES.values():
        kind = "string" if attribute.kind is str else "int64"
        meaning = attribute.meaning.replace("|", "or")
        lines.append(f"| `{attribute.name}` | {kind} | {meaning} |")
    return "\n".join(lines) + "\n"
