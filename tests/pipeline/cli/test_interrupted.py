"""Ctrl-C in the middle of a file that a command writes: what was there is as it was, and the message is true."""

import signal
import sys
from pathlib import Path

import forked
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.pipeline.cli.main import main

QUICK = Path(__file__).parents[3] / "configs/quick.toml"
SETTINGS = (
    "dataset.train=40",
    "dataset.validation=10",
    "dataset.test=10",
    "training.steps=4",
    "training.batch=16",
    "evaluation.rollouts=2",
    "evaluation.rollout_lengths=4",
)
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
# A real signal, as the first file is about to get its name.
PROGRAM = """
import os, signal, sys
from trajstore.data.base import files
from trajstore.pipeline.__main__ import run

files.sync = lambda path: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["trajstore", *sys.argv[1:]]
run()
"""

pytestmark = pytest.mark.slow


def call(*arguments: object) -> None:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    call("generate", QUICK, "--out", folder / "data", *SMALL)
    call("generate", QUICK, "--out", folder / "more", *SMALL, "--set", "dataset.seed=1")
    call("train", QUICK, "--data", folder / "data", "--out", folder / "run", *SMALL)
    call("evaluate", folder / "run")
    table = np.column_stack([np.arange(50) * 0.1, np.sin(np.arange(50) * 0.1)])
    np.savetxt(folder / "table.csv", table, delimiter=",", header="time,x", comments="")
    return folder


def standing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "command",
    [
        "import table.csv --validation 0 --test 0 --out out",
        "merge data more --out out",
        "select data --out out",
        "export data --format csv --out out",
        "evaluate run",
        "evaluate run --data data --out out",
        "plot run",
        "plot data",
        "view run",
        "compare run --figure out.png",
        "init lorenz --out out.toml",
    ],
)
def test_what_is_written_at_one_go_is_whole_or_not_there(command, trained, monkeypatch):
    before = standing(trained)
    ended = forked.run([sys.executable, "-c", PROGRAM, *command.split()], cwd=trained)
    assert ended.returncode == 128 + signal.SIGINT, ended.stderr
    assert ended.stderr.splitlines()[-1] == "trajstore: interrupted; the same command begins anew"
    assert "Traceback" not in ended.stderr
    left = standing(trained)
    # A folder for what is judged elsewhere says of what it will be.
    assert left.keys() - before.keys() <= {str(trained / "out/config.json")}
    assert {path: left[path] for path in before} == before
    monkeypatch.chdir(trained)
    call(*command.split())
    for path in standing(trained).keys() - before.keys():
        Path(path).unlink()
