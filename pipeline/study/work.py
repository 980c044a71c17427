"""The work of a study: make a dataset, train and judge a run. Whatever stops it, the same call goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from ...data.base.errors import TrajstoreError
from ...data.base.files import reason, write_json
from ...data.base.hashing import file_hash, json_hash
from ...data.folder.manifest_reading import load_manifest
from ...data.folder.names import MANIFEST
from ..generation.generate import generate
from ..judge.evaluate import evaluate
from ..judge.evaluate_baselines import evaluate_baselines
from ..judge.kept_solutions import solutions_kept_in
from ..learn.train import train
from ..runtime.interrupts import nothing_else_heard
from ..runtime.orphans import end_with_parent
from .plan import DatasetJob, RunJob

# By which joblib tells how many cores a process may use.
CORES = "LOKY_MAX_CPU_COUNT"
RESULT = "result.json"
SCRIPT = "script.json"
TRUTH = "truth"


def make_dataset(job: DatasetJob, jobs: int | None, console: Console) -> str | None:
    """Make a dataset, or what is missing of it; the SHA-256 of the script that wrote it, if one did.

    Raises TrajstoreError if it cannot be made.
    """
    if job.config is not None:
        generate(job.config, job.folder, jobs, console=console)
    elif job.script is not None:
        return _run_script(job.script, job.folder)
    load_manifest(job.folder)
    return None


def _run_script(script: Path, folder: Path) -> str:
    """Run a script once; it is told the folder."""
    digest, note = file_hash(script), folder.with_name(f"{folder.name}.{SCRIPT}")
    if (folder / MANIFEST).is_file() and note.is_file():
        if json.loads(note.read_text())["sha256"] == digest:
            return digest
        raise TrajstoreError(
            f"{script}: has changed since it wrote {folder}; remove that folder, so that it runs again"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, script.resolve(), folder], capture_output=True, text=True)
    if done.returncode or not (folder / MANIFEST).is_file():
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise TrajstoreError(
            f"{script}: wrote no dataset to {folder} (exit code {done.returncode}: {said:.300})"
        )
    write_json(note, {"sha256": digest})
    return digest


def do_run(job: RunJob, parent: int) -> dict[str, Any]:
    """Train and judge a run, in one thread; what results.json says of it. A failure is told, not raised.

    parent  the process that asked for it, without which nobody waits for it
    """
    end_with_parent(parent)
    identity = _identity(job)
    done = finished(job)
    if done is not None:
        return done
    found: dict[str, Any] = {
        "identity": identity,
        "seconds": {"train": None, "evaluate": None},
        "error": None,
    }
    try:
        with nothing_else_heard(), _one_thread(), solutions_kept_in(_truth(job)):
            found |= _judged(job)
    except Exception as error:
        # A network of a user's own can fail in any way at all, and the other runs go on.
        text = reason(error) if isinstance(error, OSError) else str(error)
        if not isinstance(error, TrajstoreError | OSError):
            text = f"{type(error).__name__}: {text}"
        return {**found, "error": text}
    job.folder.mkdir(parents=True, exist_ok=True)
    write_json(job.folder / RESULT, found)
    return json.loads((job.folder / RESULT).read_text(encoding="utf-8"))


def _judged(job: RunJob) -> dict[str, Any]:
    """`metrics` of a run, which is trained before, or of baselines; and the seconds that it took."""
    trained = None
    if job.seed is not None:
        # What the folder holds of a dataset that was made anew since is thrown away.
        trained = train(job.config, job.dataset.folder, job.folder, resume=True, overwrite=True).seconds
    begin = perf_counter()
    if job.seed is None:
        metrics = evaluate_baselines(job.config, job.dataset.folder)
    else:
        metrics = evaluate(job.folder, job.dataset.folder, trust_code=True)
    return {"metrics": metrics, "seconds": {"train": trained, "evaluate": perf_counter() - begin}}


def _truth(job: RunJob) -> Path:
    """Where the runs of a study share what rows truly do: beside the folder of all runs."""
    return job.folder.parent.with_name(TRUTH)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As many runs at once as there are cores have one each, whatever their networks are."""
    before = os.environ.get(CORES)
    os.environ[CORES] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[CORES]
        else:
            os.environ[CORES] = before


def finished(job: RunJob) -> dict[str, Any] | None:
    """What was found of a run, if it has been trained and judged."""
    try:
        found = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("identity") == _identity(job) else None


def _identity(job: RunJob) -> str:
    return json_hash({"config": job.config.model_dump(), "dataset": load_manifest(job.dataset.folder).id})
