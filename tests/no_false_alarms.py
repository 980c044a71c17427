"""Sound datasets of random configs, integrated again: none may be called unsound.

    python tests/no_false_alarms.py            # CONFIGS=200 SEED=0 JOBS=2 in the environment choose how many, which
    python tests/no_false_alarms.py 17         # that one again; its folder is kept

FIRST in the environment begins with a later one. Config number n is a function of the seed and n. Systems of all
kinds: of the library, random polynomials, stiff ones, with kinks and jumps, forced, with delays, a field, and any of
them in units between 1e-15 and 1e15, each component in its own; what is observed, stored, drawn and cut off differs,
too. Prints a line each, and a table; exits with 1 if `verify --reintegrate` called one of them unsound.
"""

import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from trajstore.data import read_shard, verify
from trajstore.pipeline import Selection, check_config, generate, get_system, reintegrate, select

Raw = dict[str, Any]
Random = np.random.Generator

ROWS = 2
# By name: a natural time, and whether trajectories are bounded and chaotic for long.
CHAOTIC = ("lorenz", "roessler", "halvorsen", "thomas", "chua", "hyperchaotic-roessler")
REGULAR = (
    "van-der-pol", "forced-van-der-pol", "harmonic", "damped", "duffing", "fitzhugh-nagumo", "lotka-volterra",
    "brusselator", "sine-cosine", "mass-spring", "pendulum", "double-pendulum", "henon-heiles", "two-body",
    "rabinovich-fabrikant",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Of a config: its kind, what `reintegrate` found, and how long that took."""

    number: int
    kind: str
    rows: int
    failed: int
    judged: float
    coarsely: float
    share: float
    problems: list[str]
    seconds: float


def own(name: str, equations: Raw, box: Raw, parameters: Raw | None = None) -> Raw:
    return {
        "name": name,
        "equations": equations,
        "initial_state": box,
        "parameters": parameters or {},
    }


def in_units(system: Raw, units: dict[str, float]) -> Raw:
    """The same system, of which each state is so many times as large."""

    names = "|".join(map(re.escape, units))

    def measured(text: str) -> str:
        # At once, for a number has letters, too.
        return re.sub(
            rf"delayed\(({names}), [^)]*\)|\b({names})\b",
            lambda found: f"({found[0]}/{units[found[1] or found[2]]!r})",
            text,
        )

    return {
        **system,
        "equations": {
            name: f"{units[name]!r}*({measured(text)})" for name, text in system["equations"].items()
        },
        "initial_state": {
            name: [units[name] * end for end in box] for name, box in system["initial_state"].items()
        },
    }


def from_library(name: str, random: Random) -> tuple[Raw, float]:
    """A system of the library written out, some of its parameters drawn by row, and its natural time."""
    known = get_system(name)
    parameters: Raw = {key: parameter.value for key, parameter in known.parameters.items()}
    for key, value in parameters.items():
        if value and random.random() < 0.3:
            parameters[key] = {"uniform": sorted([value, 1.1 * value])}
    box = {key: list(map(float, ends)) for key, ends in known.initial_state.items()}
    return own("s", dict(known.equations), box, parameters), float(known.period or 1.0)


def polynomial(random: Random) -> Raw:
    """A random quadratic flow that keeps its energy, damped and driven: bounded, and often chaotic."""
    size = int(random.integers(2, 5))
    names = [f"x{number}" for number in range(size)]
    terms: dict[str, list[str]] = {name: [f"-{random.uniform(0.02, 1):.3f}*{name}"] for name in names}
    for _ in range(size):
        first, second, third = random.choice(size, 3, replace=True)
        if len({first, second}) == 2:
            # x_i' has c x_j x_k, and x_j' has -c x_i x_k.
            c = random.uniform(-3, 3)
            terms[names[first]].append(f"{c:.3f}*{names[second]}*{names[third]}")
            terms[names[second]].append(f"{-c:.3f}*{names[first]}*{names[third]}")
    for name in names:
        terms[name].append(f"{random.uniform(-2, 2):.3f}")
    return own("s", {name: " + ".join(terms[name]) for name in names}, {name: [-2.0, 2.0] for name in names})


def stiff(random: Random) -> tuple[Raw, float]:
    which = random.integers(4)
    if which == 0:
        mu = float(10 ** random.uniform(1, 2.3))
        return own(
            "s", {"x": "y", "y": f"{mu!r}*(1 - x**2)*y - x"}, {"x": [1.5, 2.5], "y": [-1.0, 1.0]}
        ), 0.3 * mu
    if which == 1:
        robertson = {"a": "-0.04*a + 1e4*b*c", "b": "0.04*a - 1e4*b*c - 3e7*b**2", "c": "3e7*b**2"}
        return own("s", robertson, {"a": [0.9, 1.1], "b": [0.0, 0.0], "c": [0.0, 0.0]}), 10.0
    rate = float(10 ** random.uniform(1, 5))
    if which == 2:
        return own(
            "s", {"x": f"-{rate!r}*(x - cos(t))", "y": "x - y"}, {"x": [-1.0, 2.0], "y": [-1.0, 1.0]}
        ), 3.0
    return own(
        "s", {"x": f"{rate!r}*(y - x)", "y": "x - y - y**3"}, {"x": [-2.0, 2.0], "y": [-2.0, 2.0]}
    ), 2.0


def uneven(random: Random) -> tuple[Raw, float]:
    """Small beside large, growing, decaying, cancelling."""
    c = f"{random.uniform(0.5, 2):.3f}"
    return [
        (own("s", {"x": f"-{c}*x"}, {"x": [1.0, 2.0]}), 10.0),
        (own("s", {"x": f"{c}*x"}, {"x": [1e-3, 2.0]}), 10.0),
        (own("s", {"x": "v", "v": "-x", "e": f"1e-12*x - {c}*e"},
             {"x": [1e5, 1e6], "v": [0.0, 0.0], "e": [0.0, 0.0]}), 6.0),
        (own("s", {"y": "v", "v": "-y", "z": "w", "w": "-z", "d": "y - z"},
             {"y": [1.0, 1.0], "v": [0.5, 0.5], "z": [1.0, 1.0], "w": [0.5, 0.5], "d": [0.0, 0.0]}), 6.0),
        (own("s", {"x": "sin(t)**2 + cos(t)**2 - 1", "y": f"x - {c}*y"}, {"x": [0.0, 0.0], "y": [0.0, 1.0]}), 4.0),
        (own("s", {"n": "n*(1 - n - m)", "m": f"m*({c}*n - 0.4)", "q": "1e-9*n*m - q"},
             {"n": [0.2, 1.0], "m": [1e-6, 1e-3], "q": [0.0, 0.0]}), 8.0),
        (own("s", {"r": "1e6", "x": "r*1e-6 - t + v", "v": "-x"},
             {"r": [0.0, 0.0], "x": [0.0, 1.0], "v": [0.0, 1.0]}), 5.0),
    ][random.integers(7)]  # fmt: skip


def with_kinks(random: Random) -> tuple[Raw, float]:
    c = f"{random.uniform(0.1, 0.6):.3f}"
    return [
        (own("s", {"x": "v", "v": f"-x - {c}*sign(v)*v**2"}, {"x": [-2.0, 2.0], "v": [-2.0, 2.0]}), 6.0),
        (own("s", {"x": "v", "v": f"-x - {c}*v + sign(sin(1.3*t))"}, {"x": [-1.0, 1.0], "v": [-1.0, 1.0]}), 6.0),
        (own("s", {"x": "v", "v": f"-abs(x)*x - {c}*abs(v)*v"}, {"x": [-2.0, 2.0], "v": [-2.0, 2.0]}), 6.0),
        (own("s", {"x": "y - x", "y": f"-x*z + {c}", "z": "abs(x)*2 - z"},
             {"x": [-1.0, 1.0], "y": [-1.0, 1.0], "z": [-1.0, 1.0]}), 5.0),
    ][random.integers(4)]  # fmt: skip


def with_delays(random: Random) -> tuple[Raw, float]:
    tau = f"{random.uniform(0.5, 1.6):.3f}"
    return [
        (own("s", {"x": f"-delayed(x, {tau})"}, {"x": [-1.0, 1.0]}), 3.0),
        (own("s", {"x": "0.2*delayed(x, 17.0)/(1 + delayed(x, 17.0)**10) - 0.1*x"}, {"x": [0.2, 1.4]}), 60.0),
        (own("s", {"x": f"x*(1 - delayed(x, {tau}))", "y": "x - y"}, {"x": [0.2, 1.2], "y": [0.0, 1.0]}), 4.0),
        (own("s", {"x": "y", "y": f"-x - 0.3*delayed(y, {tau}) + 1e-3*cos(t)"},
             {"x": [-1.0, 1.0], "y": [-1.0, 1.0]}), 3.0),
    ][random.integers(4)]  # fmt: skip


def a_field(random: Random) -> tuple[Raw, float]:
    length = float(random.uniform(8, 16))
    box = float(random.uniform(1, 4))
    return {
        "name": "kuramoto-sivashinsky",
        "size": int(random.choice([16, 24])),
        "parameters": {"length": length},
        "initial_state": {"u": [-box, box]},
    }, 4.0


KINDS: dict[str, Callable[[Random], tuple[Raw, float]]] = {
    "chaotic": lambda random: from_library(str(random.choice(CHAOTIC)), random),
    "regular": lambda random: from_library(str(random.choice(REGULAR)), random),
    "polynomial": lambda random: (polynomial(random), 4.0),
    "stiff": stiff,
    "uneven": uneven,
    "kinks": with_kinks,
    "delays": with_delays,
    "field": a_field,
    "regular in units": lambda random: from_library(str(random.choice(REGULAR)), random),
    "chaotic in units": lambda random: from_library(str(random.choice(CHAOTIC)), random),
    "uneven in units": uneven,
    "delays in units": with_delays,
}


def config_of(number: int, seed: int = 0) -> tuple[str, Raw, Selection | None]:
    """Kind, config, and what is cut off afterwards."""
    random = np.random.default_rng([seed, number])
    kind = list(KINDS)[number % len(KINDS)]
    system, time = KINDS[kind](random)
    slow = kind in ("field",) or "delays" in kind
    if kind.endswith("in units"):
        each = 10.0 ** random.uniform(-15, 15, len(system["equations"]))
        if random.random() < 0.5:
            each[:] = each[0]
        system = in_units(system, dict(zip(system["equations"], map(float, each), strict=True)))
    duration = float(time * random.uniform(0.5, 2 if slow else 12))
    grid: Raw = {"duration": duration, "points": int(random.integers(2, 60 if slow else 200))}
    raw: Raw = {"system": system, "grid": grid}
    raw["dataset"] = {
        "train": ROWS,
        "validation": 0,
        "test": 1,
        "seed": int(random.integers(1 << 20)),
        "dtype": str(random.choice(["float32", "float64", "float64"])),
    }
    # float32 holds no small squares of what is measured in small units.
    if kind == "chaotic" and random.random() < 0.5:
        raw["initial_states"] = {"kind": "attractor", "transient": 5 * time}
    if random.random() < 0.4 and not slow:
        raw["engine"], linear = engine_of(random, duration)
        if linear:
            grid["resample"] = "linear"
    if random.random() < 0.4:
        raw["observation"] = observation_of(random, list(system.get("equations", {})), slow=slow)
    cut = None
    observed = raw.get("observation", {})
    # Noise of rows that were cut off cannot be drawn again.
    whole = "noise" in observed and not observed["clean"]
    if random.random() < 0.15 and grid["points"] > 8 and not whole:
        cut = Selection(time=(0.3 * duration, 0.9 * duration), stride=int(random.integers(1, 3)))
    elif random.random() < 0.3:
        own = {"duration": float(duration * random.uniform(0.2, 1)), "points": int(random.integers(2, 60))}
        grid["splits"] = {"test": own}
    return kind, raw, cut


def engine_of(random: Random, duration: float) -> tuple[Raw, bool]:
    methods = ["DOP853", "DOP853", "RK45", "LSODA", "Radau"]
    method = str(random.choice(methods))
    exponent = random.uniform(-12, -6) if method in ("DOP853", "LSODA") else random.uniform(-8, -4)
    engine: Raw = {"name": "scipy", "method": method, "tolerance": float(10**exponent)}
    linear = bool(random.random() < 0.3)
    if linear:
        engine["max_step"] = duration / 200
    return engine, linear


def observation_of(random: Random, names: list[str], *, slow: bool) -> Raw:
    observation: Raw = {}
    if names and random.random() < 0.4:
        kept = sorted(random.choice(len(names), random.integers(1, len(names) + 1), replace=False))
        observation["components"] = [names[place] for place in kept]
    if random.random() < 0.6:
        how = str(random.choice(["relative", "absolute"]))
        observation["noise"] = {how: float(10 ** random.uniform(-6, -1))}
        observation["clean"] = bool(random.random() < 0.5)
    if not slow:
        observation["derivative"] = bool(random.random() < 0.5)
    return observation


def run(number: int, seed: int, folder: Path) -> Outcome:
    kind, raw, cut = config_of(number, seed)
    generate(check_config(raw, f"config {number}"), folder / "dataset", jobs=1)
    path = folder / "dataset"
    if cut is not None:
        path = folder / "cut"
        select(folder / "dataset", path, cut)
    problems = verify(path)
    begin = perf_counter()
    found = reintegrate(path, 1000)
    seconds = perf_counter() - begin
    failed = sum(int((read_shard(file).status != 0).sum()) for file in path.glob("*.h5"))
    return Outcome(
        number,
        kind,
        found.rows,
        failed,
        found.judged,
        found.coarsely,
        found.share,
        problems + found.problems,
        seconds,
    )


def run_in_turn(number: int, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="trajstore-alarms-") as folder:
        try:
            return run(number, seed, Path(folder))
        except Exception as error:
            error.add_note(f"config {number}")
            raise


def main() -> None:
    seed = int(os.environ.get("SEED", "0"))
    if len(sys.argv) > 1:
        number, folder = int(sys.argv[1]), Path(tempfile.mkdtemp(prefix="trajstore-alarms-"))
        kind, raw, cut = config_of(number, seed)
        print(kind, json.dumps(raw, indent=1), cut, folder, sep="\n")
        print(json.dumps(asdict(run(number, seed, folder)), indent=1))
        return
    configs, jobs = (
        int(os.environ.get("CONFIGS", "200")),
        int(os.environ.get("JOBS", str(os.cpu_count() or 1))),
    )
    first = int(os.environ.get("FIRST", "0"))
    table: dict[str, list[Outcome]] = defaultdict(list)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for outcome in pool.map(partial(run_in_turn, seed=seed), range(first, first + configs)):
            table[outcome.kind].append(outcome)
            print(
                f"{outcome.number:4} {outcome.kind:16} {outcome.rows} rows, {outcome.failed} failed, judged "
                f"{100 * outcome.judged:5.1f} %, {100 * outcome.coarsely:5.1f} %, {outcome.share:7.1e} of what is "
                f"allowed, {outcome.seconds:5.1f} s",
                *outcome.problems[:3],
                sep="\n       ",
                flush=True,
            )
    print(f"\n{'kind':17} configs  false alarms  largest share  judged to 1e-6, to 1e-3")
    for kind, found in table.items():
        print(
            f"{kind:17} {len(found):7}  {sum(bool(each.problems) for each in found):12}  "
            f"{max(each.share for each in found):13.1e}  {100 * np.mean([each.judged for each in found]):6.1f} %, "
            f"{100 * np.mean([each.coarsely for each in found]):6.1f} %"
        )
    sys.exit(1 if any(each.problems for found in table.values() for each in found) else 0)


if __name__ == "__main__":
    main()
