"""The program, by whichever name it is started."""

import subprocess
import sys
from pathlib import Path

import pytest


def said(folder: Path, *command: str) -> tuple[int, str, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["generate"], ["info", "nowhere"]])
@pytest.mark.parametrize("module", ["trajstore", "trajstore.pipeline"])
def test_as_a_module_it_says_what_the_script_says(module, arguments, tmp_path):
    code, out, err = said(tmp_path, str(Path(sys.executable).with_name("trajstore")), *arguments)
    assert "trajstore" in out + err
    assert said(tmp_path, sys.executable, "-m", module, *arguments) == (code, out, err)
