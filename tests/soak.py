"""SIGKILL at random times, over and over: does the work end in the same bytes as if nothing had happened?

    python tests/soak.py            # KILLS=100 SEED=0 in the environment choose how many, and which

Each run repeats one command of `trajstore`, killed at random until it ends by itself, and is then compared with a run
that nobody killed. Prints a table; exits with 1 if anything differs, is left behind, or survives.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen, run
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from trajstore.pipeline.runtime.bars import Bars

CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 1000
validation = 200
test = 100
[model]
hidden = 8
encoder = [6]
"""
# A kill now and then waits for such a file to appear, for it is there for a few milliseconds only.
AIMED = 0.25
DATASET_FILES = ("manifest.json*", "SHA256SUMS*", "*.h5.*.part")
RUN_FILES = (
    "last.pt.*.part",
    "best.pt.*.part",
    "config.json.*.part",
    "metrics.jsonl.*.part",
    "training.json*",
)
# The clock is no part of a result.
CLOCKS = ("seconds", "waiting")
LONGEST = 300.0


@dataclass(frozen=True)
class Scenario:
    """A command that is killed, what lies in its folder before it, and how its result is compared."""

    name: str
    arguments: Callable[[Path], list[str]]
    compare: Callable[[Path, Path], list[str]]
    place: Callable[[Path, int], str]
    rare: tuple[str, ...]
    before: Callable[[Path], None] = lambda folder: None


@dataclass
class Tally:
    """What happened to the runs of one scenario."""

    seconds: float = 0.0
    runs: int = 0
    whole_group: int = 0
    parent_only: int = 0
    places: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.whole_group + self.parent_only


def trajstore(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "trajstore.pipeline", *map(str, arguments)]


def settings(**values: object) -> list[str]:
    """`--set` options; a double underscore is the dot of a key."""
    return [part for key, value in values.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


def generating(
    config: Path, name: str, smaller: dict[str, object] | None = None, **values: object
) -> Scenario:
    """A dataset; with `smaller`, one that grows out of the dataset with these settings."""

    def arguments(folder: Path) -> list[str]:
        return trajstore("generate", config, "--out", folder, "--jobs", 2, *settings(**values))

    def before(folder: Path) -> None:
        if smaller is not None:
            made = {**values, **smaller}
            quiet(trajstore("generate", config, "--out", folder, "--jobs", 2, *settings(**made)))

    return Scenario(name, arguments, differing_datasets, place_of_generation, DATASET_FILES, before)


def training(config: Path, data: Path, name: str, **values: object) -> Scenario:
    def arguments(folder: Path) -> list[str]:
        return trajstore("train", config, "--data", data, "--out", folder, "--resume", *settings(**values))

    return Scenario(name, arguments, differing_runs, place_of_training, RUN_FILES)


def scenarios(work: Path, scale: float = 1.0) -> list[Scenario]:
    """Threads, processes and growth; first and second order. `scale` makes the work of each smaller."""
    config, data = work / "config.toml", work / "data"
    config.write_text(CONFIG)
    quiet(trajstore("generate", config, "--out", data))
    rows, slow = int(1_200_000 * scale), int(6_000 * scale)
    by_processes = {"engine__name": "scipy", "engine__method": "RK45", "engine__tolerance": 1e-6}
    learning = {"training__batch": 64, "training__evaluate_every": 10}
    return [
        generating(config, "generate, threads", dataset__train=rows, dataset__shard_rows=rows // 30),
        generating(
            config, "generate, processes", dataset__train=slow, dataset__shard_rows=slow // 30, **by_processes
        ),
        generating(
            config,
            "generate, grown",
            {"dataset__train": rows // 4},
            dataset__train=rows,
            dataset__shard_rows=rows // 30,
        ),
        training(config, data, "train, Adam", training__steps=int(1_500 * scale), **learning),
        training(
            config,
            data,
            "train, Adam and Levenberg-Marquardt",
            training__steps=int(500 * scale),
            refinement__steps=int(150 * scale),
            refinement__batch=256,
            refinement__samples=64,
            refinement__evaluate_every=3,
            **learning,
        ),
    ]


def quiet(command: list[str]) -> None:
    """Run a command to its end. Raises CalledProcessError, whose message is on stderr, if it fails."""
    run(command, check=True, stdout=DEVNULL, stderr=DEVNULL, timeout=LONGEST)


def soak(
    cases: list[Scenario],
    work: Path,
    kills: int,
    seed: int,
    report: Callable[[int], None],
    kills_a_run: int = 15,
) -> dict[str, Tally]:
    """Run the scenarios in turn until so many kills have landed; `report` is told of their number.

    A run that was killed `kills_a_run` times is then left alone, however slow its progress.
    """
    generator = random.Random(seed)
    tallies = {case.name: Tally() for case in cases}
    for case in cases:
        reference = work / f"never killed, {case.name}"
        case.before(reference)
        begin = time.monotonic()
        quiet(case.arguments(reference))
        tallies[case.name].seconds = time.monotonic() - begin
    number = 0
    while sum(tally.kills for tally in tallies.values()) < kills:
        case = cases[number % len(cases)]
        folder = work / f"run {number}"
        tally = tallies[case.name]
        killed_run(case, folder, tally, generator, kills_a_run)
        report(sum(tally.kills for tally in tallies.values()))
        tally.faults += [
            f"{folder}: {fault}" for fault in case.compare(work / f"never killed, {case.name}", folder)
        ]
        if not tally.faults:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        number += 1
    return tallies


def killed_run(
    case: Scenario, folder: Path, tally: Tally, generator: random.Random, kills_a_run: int
) -> None:
    """One command, started again and again until it ends by itself."""
    case.before(folder)
    sessions = []
    while True:
        log = folder.with_name(f"{folder.name}.log")
        with log.open("w") as errors:
            process = Popen(case.arguments(folder), stdout=errors, stderr=errors, start_new_session=True)
        sessions.append(process.pid)
        if len(sessions) <= kills_a_run:
            wait(process, folder, case.rare, tally.seconds, generator)
        else:
            process.wait(LONGEST)
        everything = generator.random() < 0.5
        if process.poll() is None:
            if everything:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        if process.returncode != -signal.SIGKILL:
            break
        tally.places[case.place(folder, process.pid)] += 1
        tally.whole_group += everything
        tally.parent_only += not everything
    tally.runs += 1
    if process.returncode:
        tally.faults.append(f"{folder}: ended with {process.returncode}: {log.read_text()}")
    log.unlink()
    if survivors := outlived(sessions):
        tally.faults.append(f"{folder}: processes {survivors} outlive it")


def wait(
    process: Popen[bytes],
    folder: Path,
    rare: tuple[str, ...],
    seconds: float,
    generator: random.Random,
) -> None:
    """Until a random time within the length of the whole run, or until a rare file appears, or the end."""
    aim = generator.choice(rare) if generator.random() < AIMED else None
    end = time.monotonic() + (LONGEST if aim else generator.uniform(0.0, seconds))
    seen = names(folder, aim)
    while process.poll() is None and time.monotonic() < end:
        if aim and names(folder, aim) - seen:
            time.sleep(generator.uniform(0.0, 0.01))
            return
        time.sleep(0.0005 if aim else min(0.01, max(0.0, end - time.monotonic())))


def names(folder: Path, pattern: str | None) -> set[str]:
    return {path.name for path in folder.glob(pattern)} if pattern and folder.is_dir() else set()


def outlived(sessions: list[int], patience: float = 20.0) -> list[int]:
    """Processes of these sessions that are still there after a while."""
    deadline = time.monotonic() + patience
    while found := [pid for pid, session in living() if session in sessions]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def living() -> list[tuple[int, int]]:
    """Process and session of all processes that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z":
            found.append((int(path.parent.name), int(session)))
    return found


def at_work(folder: Path, process: int) -> bool:
    """Had this process come as far as the lock of its folder?"""
    try:
        return (folder / ".lock").read_text().startswith(f"process {process} ")
    except OSError:
        return False


def place_of_generation(folder: Path, process: int) -> str:
    if not at_work(folder, process):
        return "at the end" if (folder / "manifest.json").exists() else "start-up"
    if list(folder.glob("manifest.json.*.part")) or list(folder.glob("SHA256SUMS.*.part")):
        return "manifest"
    if (folder / "manifest.json").exists():
        return "at the end"
    return "writing shards" if list(folder.glob("*.h5.*.part")) else "integration"


def place_of_training(folder: Path, process: int) -> str:
    if not at_work(folder, process):
        return "at the end" if (folder / "training.json").exists() else "start-up"
    if list(folder.glob("*.pt.*.part")):
        return "checkpoint"
    if list(folder.glob("*.part")):
        return "other files"
    lines = (folder / "metrics.jsonl").read_text().splitlines() if (folder / "metrics.jsonl").exists() else []
    return "refine" if lines and '"phase": "train"' not in lines[-1] else "train"


def differing_datasets(whole: Path, folder: Path) -> list[str]:
    """Names, bytes, and what `verify` says."""
    faults = differing_names(whole, folder)
    for path in sorted(whole.iterdir()):
        other = folder / path.name
        if other.exists() and path.read_bytes() != other.read_bytes():
            faults.append(f"{path.name} differs")
    checked = run(trajstore("verify", folder), capture_output=True, text=True, timeout=LONGEST)
    return faults + ([f"verify: {checked.stdout}{checked.stderr}"] if checked.returncode else [])


def differing_runs(whole: Path, folder: Path) -> list[str]:
    """Names, every tensor and number of both checkpoints, and the curve, bit for bit."""
    faults = differing_names(whole, folder)
    if faults:
        return faults
    for name in ("last.pt", "best.pt"):
        one, other = (torch.load(path / name, weights_only=True) for path in (whole, folder))
        faults += [f"{name}: {where}" for where in differences(one, other)]
    for name, split in (("metrics.jsonl", True), ("config.json", False), ("training.json", False)):
        texts = [(path / name).read_text() for path in (whole, folder)]
        one, other = (
            [json.loads(line) for line in (text.splitlines() if split else [text])] for text in texts
        )
        faults += [f"{name}: {where}" for where in differences(one, other)]
    return faults


def differing_names(whole: Path, folder: Path) -> list[str]:
    left = {path.name for path in whole.iterdir()} ^ {path.name for path in folder.iterdir()}
    return [f"{name}: only in one of them" for name in sorted(left)]


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two nested values are not the same, the clock aside."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if torch.equal(one, other) else [where]
    if type(one) is not type(other):
        return [where]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [where]
        return [
            found
            for key in one
            if not str(key).startswith(CLOCKS)
            for found in differences(one[key], other[key], f"{where}.{key}")
        ]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [where]
        return [
            found
            for index, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, f"{where}.{index}")
        ]
    return [] if one == other or repr(one) == repr(other) else [where]


def table(tallies: dict[str, Tally]) -> Table:
    shown = Table("run of", "seconds", "runs", "kills", "all, parent only", "where they landed", "result")
    for name, tally in tallies.items():
        places = ", ".join(f"{place} {count}" for place, count in tally.places.most_common())
        shown.add_row(
            name,
            f"{tally.seconds:.1f}",
            str(tally.runs),
            str(tally.kills),
            f"{tally.whole_group}, {tally.parent_only}",
            places,
            "; ".join(tally.faults) or "the same",
        )
    return shown


def main() -> None:
    kills, seed = int(os.environ.get("KILLS", "100")), int(os.environ.get("SEED", "0"))
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="trajstore-soak-") as folder,
        Bars("kills", console=console) as bar,
    ):
        task = bar.add_task("soak", total=kills)
        work = Path(folder)
        tallies = soak(scenarios(work), work, kills, seed, lambda count: bar.update(task, completed=count))
    Console(width=140).print(table(tallies))
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    print(
        f"{sum(tally.kills for tally in tallies.values())} kills, seed {seed}: {'; '.join(faults) or 'all the same'}"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
