"""The flows of the package `dysts` as systems of ours: `dysts:Lorenz`, with what it knows of each."""

import inspect
import keyword
import math
import re
import warnings
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ....data.base.errors import TrajstoreError
from ....data.base.installing import install
from ....data.shard.schema import KNOWN_VARIABLES
from .expressions import RESERVED, TIME, to_text
from .parameter import Parameter
from .system import System
from .tracing import TracingError, expression_of, traced

PREFIX = "dysts:"
REFERENCE = "Gilpin (2021), Chaos as an interpretable benchmark, doi:10.48550/arXiv.2110.05266"
# Their right-hand sides choose by the value of a state, with max() and numpy.min() of states.
UNWRITABLE = ("BelousovZhabotinsky", "MacArthur")
TAKEN = RESERVED | set(KNOWN_VARIABLES)


@cache
def _module() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # It warns where numba is missing, which is not needed here.
            warnings.simplefilter("ignore")
            from dysts import flows  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise TrajstoreError(
            f"{PREFIX}NAME needs the package dysts, which cannot be imported ({error}); {install('dysts')}"
        ) from None
    return flows


@cache
def flow_names() -> tuple[str, ...]:
    """All flows without delay, in alphabetical order. Raises TrajstoreError if dysts is not installed."""
    flows = _module()
    found = [
        name
        for name, kind in inspect.getmembers(flows, inspect.isclass)
        if issubclass(kind, flows.DynSys) and not issubclass(kind, flows.DynSysDelay)
    ]
    return tuple(sorted(name for name in found if name != "DynSys"))


@cache
def flow_system(name: str) -> System:
    """The System of a flow: its right-hand side called once with tracing numbers.

    Raises TrajstoreError if dysts has no such flow, or its right-hand side is no expression.
    """
    if name not in flow_names():
        raise TrajstoreError(
            f"{PREFIX}{name}: dysts has no such flow without delay; it has {', '.join(flow_names())}"
        )
    flow = getattr(_module(), name)()
    try:
        return _convert(name, flow)
    except TracingError as error:
        raise TrajstoreError(f"{PREFIX}{name}: cannot be written as expressions: {error}") from None


def convertible_flows() -> list[System]:
    """All flows that can be written as expressions. Raises TrajstoreError if dysts is not installed."""
    return [flow_system(name) for name in flow_names() if name not in UNWRITABLE]


def _convert(name: str, flow: Any) -> System:
    states = _state_names(flow)
    parameters: dict[str, Parameter] = {}
    tracers: dict[str, Any] = {}
    for own, value in flow.params.items():
        values = np.asarray(value)
        new = _free(own, states)
        if not np.issubdtype(values.dtype, np.number):
            continue
        names = (
            [new]
            if values.ndim == 0
            else [f"{new}_{'_'.join(map(str, place))}" for place in np.ndindex(values.shape)]
        )
        parameters |= {
            each: Parameter(float(number)) for each, number in zip(names, values.flat, strict=True)
        }
        symbols = traced(names)
        tracers[own] = symbols[0] if values.ndim == 0 else symbols.reshape(values.shape)
    # Some right-hand sides read their parameters from the object.
    flow.__dict__.update(tracers)
    # Where numba is installed, dysts has compiled them for numbers alone.
    for part in dir(type(flow)):
        if plain := getattr(getattr(type(flow), part), "py_func", None):
            setattr(flow, part, plain)
    flow.param_list = [tracers.get(key, flow.params[key]) for key in sorted(flow.params)]
    slopes = flow.rhs(traced(states), traced([TIME])[0])
    texts = [to_text(expression_of(slope)) for slope in np.ravel(np.asarray(slopes, dtype=object))]
    if len(texts) != len(states):
        raise TracingError(f"{len(texts)} slopes for {len(states)} states")
    used = set(re.findall(r"\w+", " ".join(texts)))
    start, spread = np.ravel(flow.ic), np.ravel(flow.std)
    spread = np.where(np.isfinite(spread) & (spread > 0), spread, 1.0) * 0.1
    return System(
        name=PREFIX + name,
        equations=dict(zip(states, texts, strict=True)),
        parameters={key: parameter for key, parameter in parameters.items() if key in used},
        initial_state={
            state: (_short(x - s), _short(x + s)) for state, x, s in zip(states, start, spread, strict=True)
        },
        description=str(flow.metadata.get("description") or "A flow of the package dysts.").strip(),
        reference="; ".join(filter(None, [str(flow.metadata.get("citation") or ""), REFERENCE])),
        period=_number(flow.period),
        lyapunov=_number(flow.metadata.get("maximum_lyapunov_estimated")),
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.8g}")


def _state_names(flow: Any) -> list[str]:
    """As the right-hand side calls them, or x1, x2, ... where it takes an array."""
    size = len(np.ravel(flow.ic))
    function = inspect.unwrap(getattr(flow._rhs, "py_func", flow._rhs))
    names = [name for name in inspect.signature(function).parameters if name != "self"][:size]
    plain = len(names) == size and "X" not in names and TIME not in names
    return [_free(name, []) for name in names] if plain else [f"x{number + 1}" for number in range(size)]


def _free(name: str, states: list[str]) -> str:
    """The name, or one beside it where it means something else already."""
    clean = name.lstrip("_") or "p"
    return f"{clean}_" if clean in TAKEN or clean in states or keyword.iskeyword(clean) else clean
