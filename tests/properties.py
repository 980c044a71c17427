"""Random equations from the whole whitelist, integrated by the engines and by tiny steps of our own.

    python tests/properties.py --first 0 --count 100

A seed is an equation. A row of status 0 must be what the tiny steps give, where these agree with steps twice as long,
and may not go where the equations have no value; what is told is the row that is not so.
"""

import argparse
import math
import signal
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import sympy
from trajstore.data import TrajstoreError
from trajstore.pipeline import EngineSettings, Parameter, System, make_engine
from trajstore.pipeline.dynamics.engines.kinks.branches import Kind, branches

UNARY = (
    "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp log sqrt erf sign abs".split()  # noqa: SIM905
)
EXPONENTS = ("2", "3", "0.5", "1.5", "(1/3)", "(2/3)", "0.3", "p", "(-1)", "(-0.5)", "(-1.5)", "(-2)")
SPECIAL = (0.0, 1.0, -1.0, 0.5)
DURATION, POINTS = 2.0, 21
# Tiny steps between two points of the grid, and the longer ones that they are held against.
FINE, COARSE = 64, 32
# Steps that tell whether those are on their way to a row: then they come nearer by so much at least.
FINER, NEARER = 512, 0.4
# Beyond this, relative to 1 + |x|, tiny steps don't agree with themselves, and say nothing.
AGREED = 1e-4
# How much a row may differ from them, in differences of the two, and at least.
ALLOWED, LEAST = 30.0, 1e-6
# An argument so far beyond its end has left its domain, and within so little it has not.
OUTSIDE, INSIDE = -1e-3, -1e-6
# So far from a start on a jump are those on its sides.
BESIDE = 1e-8
SECONDS = 60


def expression(generator: np.random.Generator, names: list[str], depth: int) -> str:
    """A random text."""
    if depth == 0 or generator.random() < 0.1:
        if generator.random() < 0.25:
            return f"{generator.uniform(0.2, 3):.1f}"
        return str(generator.choice(names))
    inner = expression(generator, names, depth - 1)
    kind = generator.random()
    if kind < 0.45:
        return f"{generator.choice(UNARY)}({inner})"
    if kind < 0.6:
        return f"({inner})**{generator.choice(EXPONENTS)}"
    operator = generator.choice(["+", "-", "*", "/"], p=[0.3, 0.3, 0.3, 0.1])
    return f"({inner}) {operator} ({expression(generator, names, depth - 1)})"


def example(seed: int) -> tuple[System, np.ndarray]:
    """A system of one to three states, and two starts (2, D); many of them are on branches."""
    generator = np.random.default_rng([11, seed])
    while True:
        states = ["x", "y", "z"][: generator.integers(1, 4)]
        names = [*states, *states, "t", "p"]
        equations = {state: expression(generator, names, int(generator.integers(1, 4))) for state in states}
        # Many arguments begin and come back to the edges of their domain where states are sines.
        if len(states) > 1 and generator.random() < 0.3:
            equations |= {"x": "y", "y": "-x"}
        starts = generator.uniform(-1.5, 1.5, (2, len(states)))
        special = generator.random(starts.shape) < 0.3
        starts[special] = generator.choice(SPECIAL, special.sum())
        exponent = float(generator.choice([0.5, 1.5, 2.0, -1.0, 0.7]))
        try:
            return System(
                "random", equations, {"p": Parameter(exponent)}, dict.fromkeys(states, (-1.0, 1.0))
            ), starts
        except TrajstoreError:
            continue


def _power(base: float, exponent: float) -> float:
    if base < 0 and exponent > 0 and not float(exponent).is_integer():
        return 0.0
    return base**exponent


# Roots and inverse functions go on as they ended: whether a row leaves their domain is asked afterwards.
OWN = {
    "sqrt": lambda value: math.sqrt(max(value, 0.0)),
    "asin": lambda value: math.asin(min(1.0, max(-1.0, value))),
    "acos": lambda value: math.acos(min(1.0, max(-1.0, value))),
    "acosh": lambda value: math.acosh(max(1.0, value)),
    "own_power": _power,
}


def own(system: System, expressions: list[sympy.Expr]) -> Callable[..., list[float]]:
    """A function (t, x, p) of expressions, made without the engines."""

    def replaced(part: sympy.Expr) -> sympy.Expr:
        return part.replace(
            lambda found: (
                isinstance(found, sympy.Pow) and not found.exp.is_integer and found.exp != sympy.S.Half
            ),
            lambda found: sympy.Function("own_power")(*found.args),
        )

    symbols = system.time_symbol, system.state_symbols, system.parameter_symbols
    return sympy.lambdify(symbols, [replaced(part) for part in expressions], modules=[OWN, "math"])


def tiny_steps(
    field: Callable[..., list[float]], start: list[float], p: tuple[float, ...], steps: int
) -> np.ndarray:
    """The classic Runge-Kutta method in steps of one length: states (POINTS, D), NaN from where it fails."""
    width = DURATION / (POINTS - 1) / steps
    path, state = [start], start
    try:
        for number in range((POINTS - 1) * steps):
            t = number * width
            k1 = field(t, state, p)
            k2 = field(t + width / 2, [x + width / 2 * k for x, k in zip(state, k1, strict=True)], p)
            k3 = field(t + width / 2, [x + width / 2 * k for x, k in zip(state, k2, strict=True)], p)
            k4 = field(t + width, [x + width * k for x, k in zip(state, k3, strict=True)], p)
            state = [
                x + width / 6 * (a + 2 * b + 2 * c + d)
                for x, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
            ]
            if not math.isfinite(sum(state)):
                break
            if (number + 1) % steps == 0:
                path.append(state)
    except (ArithmeticError, ValueError, TypeError):
        pass
    return np.array([*path, *[[math.nan] * len(start)] * (POINTS - len(path))])


@dataclass(frozen=True)
class Finding:
    """What became of a row: "right", "given up", "not judged", "left its domain", or a fault, "wrong"."""

    word: str
    told: str


def judge(system: System, start: np.ndarray, row: np.ndarray, status: int, tools: tuple) -> Finding:
    """A row (POINTS, D) of an engine."""
    field, arguments, kinds, fixed = tools
    parameters = system.defaults
    fine = tiny_steps(field, start.tolist(), parameters, FINE)
    coarse = tiny_steps(field, start.tolist(), parameters, COARSE)
    with np.errstate(all="ignore"):
        apart = np.abs(fine - coarse).max(axis=1) / (1 + np.abs(fine).max(axis=1))
    seen = fine if status else row
    # What no state and no time moves is so for the whole row.
    lowest, crossed = min([*fixed, math.inf]), False
    signs = [0.0] * len(kinds)
    for time, state in zip(np.linspace(0, DURATION, POINTS), seen.tolist(), strict=True):
        try:
            values = arguments(time, state, parameters)
            for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
                if kind is Kind.ROOT:
                    lowest = min(lowest, value)
                elif kind is Kind.POLE and value:
                    crossed |= signs[number] * value < 0
                    signs[number] = math.copysign(1, value)
        except (ArithmeticError, ValueError, TypeError):
            lowest = -math.inf
    agreed = bool((apart <= AGREED).all())
    if status:
        inside = agreed and lowest > INSIDE and not crossed
        return Finding(
            "given up" if inside else "failed", f"status {status}, tiny steps differ by {apart.max():.1g}"
        )
    if lowest < OUTSIDE:
        return Finding("wrong", f"an argument reaches {lowest:.3g}, out of its domain, with status 0")
    if not agreed:
        return Finding("crossed" if crossed else "not judged", f"tiny steps differ by {np.nanmax(apart):.1g}")
    size, allowed = 1 + np.abs(fine).max(axis=1), ALLOWED * np.maximum.accumulate(apart) + LEAST
    off = np.abs(row - fine).max(axis=1) / size
    if (off > allowed).any() and _is_on_a_jump(system, start):
        # What equations say on a jump alone, which has no width, is one of their solutions; others leave it.
        for side in (-BESIDE, BESIDE):
            beside = tiny_steps(field, (start + side).tolist(), parameters, FINE)
            off = np.fmin(off, np.abs(row - beside).max(axis=1) / size)
    if (off > allowed).any():
        # Along a jump, and where slopes end steeply, tiny steps agree with each other before they are right.
        finer = tiny_steps(field, start.tolist(), parameters, FINER)
        if np.nanmax(np.abs(row - finer).max(axis=1) / size) < NEARER * off.max():
            return Finding("right", f"off by {off.max():.1g}, less of finer steps")
        return Finding("wrong", f"off by {off.max():.3g}, tiny steps by {apart.max():.3g}")
    return Finding("right", f"off by {off.max():.1g}")


def _is_on_a_jump(system: System, start: np.ndarray) -> bool:
    jumps = {part.args[0] for expression in system.vector_field for part in expression.atoms(sympy.sign)}
    values = own(system, sorted(jumps, key=str))
    try:
        return 0.0 in values(0.0, start.tolist(), system.defaults)
    except (ArithmeticError, ValueError, TypeError):
        return False


def _roots(system: System, moving: tuple[sympy.Symbol, ...]) -> list[sympy.Expr]:
    """Arguments of roots that nothing moves but the parameter."""
    return [
        branch.argument
        for branch in branches(system.vector_field, system.parameter_symbols)
        if branch.kind is Kind.ROOT and not branch.argument.free_symbols & {*moving}
    ]


def _fixed_root(argument: sympy.Expr) -> float:
    value = complex(argument)
    return value.real if value.imag == 0 else -math.inf


def check(seed: int, names: tuple[str, ...] = ("auto", "scipy")) -> list[tuple[str, Finding]]:
    """An example of a seed, by these engines: a finding for each and each of its rows."""
    system, starts = example(seed)
    # A power of the parameter is a root or a pole as its value says.
    known = {system.parameter_symbols[0]: sympy.Float(system.defaults[0])}
    fields = [
        part if part.xreplace(known).has(sympy.I) else part.xreplace(known) for part in system.vector_field
    ]
    moving = (*system.state_symbols, system.time_symbol)
    found = [branch for branch in branches(fields, moving) if branch.kind in (Kind.ROOT, Kind.POLE)]
    tools = (
        own(system, list(system.vector_field)),
        own(system, [branch.argument for branch in found]),
        [branch.kind for branch in found],
        [_fixed_root(part.xreplace(known)) for part in _roots(system, moving)],
    )
    findings, parameters = [], np.tile(system.defaults, (len(starts), 1))
    for name in names:
        engine = make_engine(system, EngineSettings(name=name, max_steps=20_000))
        solution = engine.solve(starts, parameters, np.linspace(0, DURATION, POINTS))
        for start, row, status in zip(starts, solution.states, solution.status.tolist(), strict=True):
            finding = judge(system, start, row, status, tools)
            findings.append(
                (f"{name} {dict(system.equations)} p = {parameters[0, 0]} from {start.tolist()}", finding)
            )
    return findings


def _late(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _late)
    words: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.count):
        signal.alarm(SECONDS)
        begun = perf_counter()
        try:
            for text, finding in check(seed):
                words[finding.word] += 1
                if finding.word in ("wrong", "given up", "crossed"):
                    print(f"seed {seed}: {finding.word}: {text}: {finding.told}", flush=True)
        except Exception as error:
            words["error"] += 1
            print(f"seed {seed}: {type(error).__name__}: {error} in {example(seed)}", flush=True)
        signal.alarm(0)
        if perf_counter() - begun > 5:
            print(f"seed {seed}: {perf_counter() - begun:.1f} s: {example(seed)[0].equations}", flush=True)
    print(f"seeds {arguments.first} to {arguments.first + arguments.count - 1}: {dict(words)}")
    raise SystemExit(1 if words["wrong"] or words["error"] else 0)


if __name__ == "__main__":
    main()
