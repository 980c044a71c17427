"""Ctrl-C as a terminal sends it, to a whole group, early or twice: exit code 130, a line, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import pytest

TRAJSTORE = Path(sys.executable).with_name("trajstore")
QUICK = Path(__file__).parents[3] / "configs/quick.toml"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for workers in /proc"),
]


def started(out: Path) -> subprocess.Popen:
    """A generation whose workers take seconds to load."""
    settings = ["engine.name='scipy'", "dataset.train=20000", "dataset.shard_rows=500"]
    arguments = [part for setting in settings for part in ("--set", setting)]
    return forked.Popen(
        [TRAJSTORE, "generate", QUICK, "--out", out, "--jobs", "2", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def workers(parent: int) -> list[int]:
    """Processes that joblib has started; they import NumPy, SciPy and us before they work."""
    found = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"popen_loky" in command:
            found.append(int(child))
    return found


@pytest.mark.parametrize(("times", "pause"), [(1, 0.0), (2, 0.0), (3, 0.2)])
def test_ctrl_c_while_workers_start_ends_quietly(tmp_path, times, pause):
    process = started(tmp_path / "d")
    deadline = time.monotonic() + 120
    while not workers(process.pid):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # In the middle of what they import.
    time.sleep(0.3)
    for _ in range(times):
        try:
            os.killpg(process.pid, signal.SIGINT)
        except ProcessLookupError:
            break
        time.sleep(pause)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) <= 3, errors
    assert "interrupted" in errors.splitlines()[-1]


def test_ctrl_c_again_while_it_ends_changes_nothing(tmp_path):
    process = started(tmp_path / "d")
    while not (tmp_path / "d").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "then", ["raise TrajstoreError('a value is refused')", "raise ImportError('half')", "time.sleep(60)"]
)
def test_an_interrupt_that_compiled_code_swallows_is_not_lost(then):
    program = f"""
import ctypes, os, signal, sys, time
from trajstore.data import TrajstoreError
from trajstore.pipeline.__main__ import run
from trajstore.pipeline.cli.common import command
from trajstore.pipeline.cli.main import main

@main.command()
@command
def swallow():
    # ctypes, like pydantic, cannot pass on what a function raises that it calls back.
    ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.SIGINT))()
    {then}

sys.argv = ["trajstore", "swallow"]
run()
"""
    ended = forked.run([sys.executable, "-c", program], timeout=30)
    assert ended.returncode == 130
    assert ended.stderr.startswith("trajstore: interrupted")
    assert len(ended.stderr.splitlines()) == 1
