"""The config that `init` writes loads as it stands, for each system of the library, and goes the whole way."""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.pipeline import get_system, load_config
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.describe.beginning import first_config
from trajstore.pipeline.dynamics.systems import LIBRARY

ROOT = Path(__file__).parents[3]


def run(*arguments):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", LIBRARY)
def test_it_loads_and_has_the_systems_own_values(name, quick, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(first_config(get_system(name), quick=quick))
    config, system = load_config(path), get_system(name)
    stated = tomllib.loads(path.read_text())["system"]
    assert stated.get("parameters", {}).items() <= {k: p.value for k, p in system.parameters.items()}.items()
    box = {key: list(values) for key, values in system.initial_state.items()}
    assert stated.get("initial_state", box) == box
    assert config.dataset.train == (200 if quick else 10_000)
    assert config.task.name == ("forecast" if system.lyapunov else "initial-value")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["van-der-pol", "lorenz-96", "mackey-glass"])
def test_its_quick_form_goes_the_whole_way(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", name, "--quick").stdout == f"{name}.toml\n"
    run("generate", f"{name}.toml", "--out", "data")
    run("train", f"{name}.toml", "--data", "data", "--out", "run")


@pytest.mark.slow
def test_what_it_says_comes_next_can_be_typed_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my configs").mkdir()
    said = run("init", "--quick", "--out", "my configs/first.toml").stderr
    steps = [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  trajstore ")]
    assert [step[0] for step in steps] == ["generate", "train", "evaluate", "plot"]
    for step in steps:
        run(*step)
    assert list((tmp_path / "my configs/first-run/figures").glob("*.png"))


def test_it_replaces_nothing(tmp_path):
    (tmp_path / "mine.toml").write_text("mine")
    done = CliRunner().invoke(main, ["init", "lorenz", "--out", str(tmp_path / "mine.toml")])
    assert done.exit_code == 2
    assert "is there already" in done.output
    assert (tmp_path / "mine.toml").read_text() == "mine"


def test_an_unknown_system_is_told_with_what_there_is(tmp_path):
    done = CliRunner().invoke(main, ["init", "lorentz", "--out", str(tmp_path / "c.toml")])
    assert done.exit_code == 2
    assert "lorenz" in done.output
    assert not list(tmp_path.iterdir())


def test_help_has_every_command_once_under_its_stage():
    said = run("--help").stdout
    listed = [line.split()[0] for line in said.partition("Begin:")[2].splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(main.commands)


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_of_the_docs_complete_commands(shell):
    assert f"_TRAJSTORE_COMPLETE={shell}_source trajstore" in (ROOT / "docs/install.md").read_text()

    def asked(what: str, **more: str) -> str:
        environment = {**os.environ, "_TRAJSTORE_COMPLETE": f"{shell}_{what}", **more}
        program = Path(sys.executable).with_name("trajstore")
        done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    # click asks bash itself for its version, where there is one.
    if shutil.which(shell) or shell != "bash":
        assert "trajstore" in asked("source")
    words = {"COMP_WORDS": "trajstore veri", "COMP_CWORD": "veri" if shell == "fish" else "1"}
    assert "verify" in asked("complete", **words)
