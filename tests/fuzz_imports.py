"""Measured files with dimension scales, damaged in many ways and imported: nothing may crash, hang, end in a
traceback, or give states in another order.

    python tests/fuzz_imports.py            # CASES=10000 SEED=0 JOBS=2 in the environment choose how many, and which
    python tests/fuzz_imports.py 4711       # one case again, in this process; its file is kept

Case number n is the same whatever the number of cases and jobs. Each is imported by a process of its own. Prints a
table; exits with 1 if a case came out otherwise than refused with a message, imported as the whole file is, or
imported with other numbers or words, which a file without checksums cannot tell from right ones.
"""

import os
import pickle
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import h5netcdf
import h5py
import netCDF4
import numpy as np
from fuzz import Kind, damaged
from trajstore.data import TrajstoreError
from trajstore.pipeline import Import, import_files

SECONDS = 10
MEMORY_BYTES = 1 << 30
# Each number says where it is: its place along each axis is a digit of it. Axes of one length can be exchanged.
SHAPE = (4, 4, 4)
STATES = sum(
    10.0**digit * index for digit, index in zip((2, 1, 0), np.indices(SHAPE, dtype=np.float64), strict=True)
)
TIMES = np.array([0.0, 0.5, 1.0, 1.5])
NAMES = ["x", "v", "y", "w"]
AXES = ("trajectory", "time", "component")
# As they lie in the files.
STORED = ("time", "component", "trajectory")
REFUSED, SAME, OTHER = "refused", "as before", "other numbers or words"
TURNED, HUNG, CRASHED, FAILED = "turned round", "hung", "crashed", "traceback"
BAD = (TURNED, HUNG, CRASHED, FAILED)


@dataclass(frozen=True)
class Case:
    """Of one case: the kind of its file, what became of it, and what was said."""

    number: int
    kind: str
    outcome: str
    said: str


def _stored() -> np.ndarray:
    return STATES.transpose([AXES.index(name) for name in STORED])


def _with_h5py(path: Path) -> None:
    with h5py.File(path, "w", track_order=True) as file:
        file["state"] = _stored()
        for name, values in (("time", TIMES), ("component", NAMES), ("trajectory", np.arange(4.0))):
            file[name] = values
            file[name].make_scale(name)
        for place, name in enumerate(STORED):
            file["state"].dims[place].attach_scale(file[name])
        file["time"].attrs["units"] = "s"


def _with_new_h5py(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("state", data=_stored(), chunks=(2, 4, 4), compression="gzip", fletcher32=True)
        file["time"] = TIMES
        for place, name in enumerate(STORED):
            file["state"].dims[place].label = name
        file["time"].make_scale("time")
        file["state"].dims[0].attach_scale(file["time"])


def _with_netcdf4(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(STORED, SHAPE, strict=True):
            file.createDimension(name, None if name == "trajectory" else size)
        file.createVariable("state", "f8", STORED, zlib=True)[:] = _stored()
        time = file.createVariable("time", "f8", ("time",))
        time[:], time.units = TIMES, "s"


def _with_h5netcdf(path: Path) -> None:
    with h5netcdf.File(path, "w") as file:
        file.dimensions = dict(zip(STORED, SHAPE, strict=True))
        file.create_variable("state", STORED, data=_stored())
        file.create_variable("time", ("time",), data=TIMES).attrs["units"] = "s"
        file.create_variable("component", ("component",), data=np.array(NAMES, dtype=h5py.string_dtype()))


WRITERS: dict[str, Callable[[Path], None]] = {
    "HDF5, scales": _with_h5py,
    "HDF5, labels": _with_new_h5py,
    "netCDF4": _with_netcdf4,
    "h5netcdf": _with_h5netcdf,
}


def make_kinds(folder: Path) -> list[Kind]:
    """The files that are damaged; they are written below the folder."""
    kinds = []
    for name, write in WRITERS.items():
        path = folder / "whole.h5"
        write(path)
        whole = path.read_bytes()
        path.unlink()
        kinds.append(Kind(name, "data.h5", whole, _hot(whole), lambda path, reader: []))
    return kinds


def _hot(whole: bytes) -> np.ndarray:
    """What is not zero, eight times over near the heaps and attributes that speak of dimensions."""
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    words = (b"GCOL", b"DIMENSION_LIST", b"REFERENCE_LIST", b"DIMENSION_LABELS", b"CLASS", b"_Netcdf4")
    marks = [at for word in words for at in range(len(whole)) if whole.startswith(word, at)]
    near = [used[(used >= mark) & (used < mark + 128)] for mark in marks]
    return np.concatenate([used, *near * 8])


def _damaged(kind: Kind, generator: np.random.Generator) -> bytes:
    """As other files are, but that half of them lose a byte, a bit or their end alone."""
    if generator.random() < 0.5:
        return damaged(kind, generator)
    content, at = bytearray(kind.whole), int(generator.choice(kind.hot))
    match int(generator.integers(6)):
        case 0:
            content[at] = int(generator.integers(256))
        case 1:
            content[at] = 0
        case 2:
            del content[int(generator.integers(1, len(content))) :]
        case _:
            content[at] ^= 1 << int(generator.integers(8))
    return bytes(content)


def imported(path: Path, out: Path) -> tuple[str, str]:
    """Outcome and message of an import by this process."""
    from trajstore.data import read_shard

    try:
        import_files([path], out, Import(validation=0.0, test=0.0))
    except TrajstoreError as error:
        return REFUSED, str(error)
    except Exception:
        return FAILED, traceback.format_exc()
    shard = read_shard(out / "train-00000.h5")
    if shard.state.shape == SHAPE and np.array_equal(shard.state, STATES):
        same = np.array_equal(shard.time, TIMES) and shard.units["time"] in ("s", "1")
        return (SAME if same else OTHER), ""
    return (TURNED if _turned(shard.state) else OTHER), str(shard.state.shape)


def _turned(states: np.ndarray) -> bool:
    """Are these the numbers of the file, along other axes?"""
    return sorted(states.shape) == sorted(SHAPE) and np.array_equal(
        np.sort(states, axis=None), np.sort(STATES, axis=None)
    )


def run_case(number: int, seed: int, kinds: list[Kind], folder: Path) -> Case:
    """One case, imported by a child."""
    generator = np.random.default_rng([seed, number])
    kind = kinds[number % len(kinds)]
    place = folder / f"case-{number}"
    place.mkdir()
    path = place / kind.file
    path.write_bytes(_damaged(kind, generator))
    outcome, said = imported_by_child(path, place / "out")
    for each in sorted(place.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    place.rmdir()
    return Case(number, kind.name, outcome, said)


def imported_by_child(path: Path, out: Path) -> tuple[str, str]:
    """The same by a process of its own, which may hang or crash."""
    answer, told = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        os.write(told, pickle.dumps(imported(path, out)))
        os._exit(0)
    os.close(told)
    said = os.read(answer, 1 << 16)
    os.close(answer)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        return (HUNG if code == -signal.SIGALRM else CRASHED), f"ended with {code}"
    return pickle.loads(said)


def run_cases(numbers: range, seed: int = 0) -> list[Case]:
    """These cases, one after another, in a folder that is gone afterwards."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="trajstore-") as name:
        kinds = make_kinds(Path(name))
        return [run_case(number, seed, kinds, Path(name)) for number in numbers]


def main() -> None:
    cases, seed = int(os.environ.get("CASES", "10000")), int(os.environ.get("SEED", "0"))
    if len(sys.argv) > 1:
        number, folder = int(sys.argv[1]), Path(tempfile.mkdtemp(prefix="trajstore-fuzz-"))
        kinds = make_kinds(folder)
        path = folder / "data.h5"
        path.write_bytes(_damaged(kinds[number % len(kinds)], np.random.default_rng([seed, number])))
        print(path, *imported(path, folder / "out"), sep="\n")
        return
    jobs = int(os.environ.get("JOBS", str(os.cpu_count() or 1)))
    parts = [range(first, min(cases, first + 250)) for first in range(0, cases, 250)]
    table: Counter[tuple[str, str]] = Counter()
    wrong: list[Case] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(run_cases, seed=seed), parts):
            table.update((case.kind, case.outcome) for case in found)
            wrong += [case for case in found if case.outcome in BAD]
    outcomes = (REFUSED, SAME, OTHER, *BAD)
    print("file".ljust(14), *outcomes, sep="  ")
    for kind in WRITERS:
        cells = [str(table[kind, outcome]).rjust(len(outcome)) for outcome in outcomes]
        print(kind.ljust(14), *cells, sep="  ")
    for case in wrong[:50]:
        print(f"case {case.number} {case.kind}, {case.outcome}: {case.said}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
