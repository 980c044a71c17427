"""What the benchmarks share: interleaved repetitions, what a command takes, tables, verdicts, the machine."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, NamedTuple

# ru_maxrss counts kilobytes, but bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Spent(NamedTuple):
    """What a command took: seconds by the clock and of all cores; and the most bytes that one process held."""

    seconds: float
    cpu: float
    bytes: int


def spent(command: Sequence[str]) -> Spent:
    """Run a command to its end, which must be a good one.

    Who asks for memory imports little, because a child's peak begins with that of its parent.
    """
    began = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(errors)
    return Spent(perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)


def trajstore(*arguments: object) -> Spent:
    """Run a command of the trajstore of this Python."""
    return spent([sys.executable, "-m", "trajstore.pipeline", *map(str, arguments)])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(*packages: str) -> str:
    """One line: which CPU, how many cores, how busy with other work just now, which Python, which versions."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    cpu = f"{_cpu()}, {cores()} cores ({_busy()} before the run)"
    return f"Machine: {cpu}, {platform.system()}, Python {platform.python_version()}; {versions}"


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def rounds(contenders: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Let every contender run once a round, and collect the figure that each returns.

    What else the machine does then falls on all of them alike, and ratios are taken within a round.
    """
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repetitions):
        for name, measure in contenders.items():
            figures[name].append(measure())
    return figures


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round, one figure over another."""
    return [a / b for a, b in zip(above, below, strict=True)]


def figure(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Median (least-greatest)."""
    return f"{figure(median(values))} ({figure(min(values))}-{figure(max(values))})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns padded so that it can be read as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def repeated(figures: Mapping[Any, Sequence[float]]) -> str:
    """How the table's figures were taken."""
    count = len(next(iter(figures.values())))
    return f"Medians (least-greatest) of {count} rounds; ratios within a round."


def verdict(bar: str, met: bool, measured: str) -> str:
    """A bar that was set beforehand, and whether this run meets it. A busy machine is no error: only a line."""
    return f"{'PASS' if met else 'FAIL'}: {bar}; measured {measured}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    described = {key.strip(): value.strip() for key, value in found.items()}
    return described.get("model name") or platform.machine()


def _busy(seconds: float = 1.0) -> str:
    """How much of the cores other work takes."""
    before = _ticks()
    sleep(seconds)
    spent = [after - then for after, then in zip(_ticks(), before, strict=True)]
    # The fourth and fifth columns are idle time; see proc(5).
    return f"{1 - sum(spent[3:5]) / sum(spent):.0%} busy" if sum(spent) else "unknown how busy"


def _ticks() -> list[int]:
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    except OSError:
        return []
    return [int(ticks) for ticks in first.split()[1:9]]
