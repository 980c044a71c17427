"""Where a command would write, or read: what is there instead of a folder is named, and others' folders are left."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.runtime.lock import locked

CONFIG = """
[task]
name = "initial-value"
[model]
hidden = 4
encoder = [4]
[training]
steps = 2
batch = 8
[evaluation]
rollouts = 2
rollout_lengths = 2
"""


def refused(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    return done.stderr


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_dataset: Path) -> Path:
    """A folder with a config, a dataset, a file, a folder of somebody else, and a link that leads nowhere."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_dataset, "data")
    Path("learn.toml").write_text(CONFIG)
    Path("file").write_text("mine")
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    Path("nowhere").symlink_to("gone")
    return tmp_path


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("file", "file: is a file; expected a folder"),
        ("file/a/b", "file/a/b: file is a file; expected a folder"),
        ("nowhere", "nowhere: is a link to what is not there; expected a folder"),
        ("nowhere/a", "nowhere/a: nowhere is a link to what is not there; expected a folder"),
        ("", "Invalid value for '--out': got an empty text, expected a path"),
        ("data", "data: holds a dataset"),
        ("data/a", "data/a: lies in a dataset"),
        ("data/a/b/c", "data/a/b/c: lies in a dataset"),
        ("other", "other: holds notes.txt, and no run; choose an empty folder"),
    ],
)
def test_what_is_no_place_for_a_run_is_named(here, out, said):
    assert said in refused("train", "learn.toml", "--data", "data", "--out", out)
    assert not Path("gone").exists()


def test_an_empty_path_is_not_the_folder_that_one_stands_in(here):
    for command in (["info", ""], ["evaluate", ""], ["train", "", "--data", "data", "--out", "run"]):
        assert "got an empty text, expected a path" in refused(*command)


def test_a_new_folder_is_made_for_a_page_and_a_config(here):
    for command, made in ((["init", "lorenz"], "a/b/lorenz.toml"), (["view", "data"], "c/d/page.html")):
        done = CliRunner().invoke(main, [*command, "--out", made])
        assert (done.exit_code, done.stdout) == (0, f"{made}\n"), done.output
        assert Path(made).is_file()
        assert "file: is there, and no folder" in refused(*command, "--out", "file/x.toml")


def test_what_keeps_a_new_dataset_out_is_called_by_the_name_that_was_given(here):
    assert "data/a: lies in a dataset" in refused("select", "data", "--out", "data/a")
    assert "nowhere: exists; choose a new or empty folder" in refused("select", "data", "--out", "nowhere")
    with locked(Path(".new.trajstore-new")):
        assert f"{here}/new: process {os.getpid()} on" in refused("select", "data", "--out", "new")


def test_a_config_to_begin_with_is_not_put_into_a_dataset(here):
    assert "data/a/first.toml: lies in a dataset" in refused("init", "lorenz", "--out", "data/a/first.toml")
    assert not Path("data/a").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--rows", "-3:"], "rows: got -3:, expected numbers from 0 on"),
        (["--rows", "5:2"], "rows: got 5:2, in which nothing lies"),
        (["--time", "1:0.5"], "time: got 1:0.5, in which nothing lies"),
        (["--where", "mu=2:1"], "mu: got 2:1, in which nothing lies"),
        (["--where", "mu=nan:"], "mu: got nan:, expected numbers"),
    ],
)
def test_a_range_that_nothing_can_be_in_is_told(here, asked, said):
    assert said in refused("select", "data", "--out", "part", *asked)
    assert not Path("part").exists()


def test_a_folder_is_no_config(here):
    said = refused("train", "data", "--data", "data", "--out", "run")
    assert said == "trajstore: data: is a folder; expected a file; a config is a TOML file\n"


@pytest.mark.slow
def test_a_name_in_brackets_is_no_style(here):
    done = CliRunner().invoke(main, ["plot", "data", "--out", "[red]drawn"])
    assert "[red]drawn/phase.png" in done.stderr, done.output
    assert Path("[red]drawn/phase.png").is_file()


def test_no_address_is_not_the_folder_that_one_stands_in(here):
    assert "got an empty text, expected an address or a path" in refused("fetch", "", "new")


@pytest.mark.slow
def test_what_is_judged_and_drawn_lies_in_no_dataset_and_no_file(here):
    assert CliRunner().invoke(main, ["train", "learn.toml", "--data", "data", "--out", "run"]).exit_code == 0
    assert CliRunner().invoke(main, ["evaluate", "run"]).exit_code == 0
    for out, said in (
        ("file", "file: is there, and no folder; expected a folder"),
        ("file/a", "file/a: a part of the path is a file; expected a folder"),
        ("data", "data: holds a dataset"),
        ("data/a", "data/a: lies in a dataset"),
        ("other", "other: holds notes.txt, and no run; choose an empty folder"),
    ):
        assert said in refused("evaluate", "run", "--out", out)
    before = sorted(Path("data").rglob("*"))
    for out, said in (
        ("data", "holds a dataset, beside which"),
        ("data/figures", "lies in a dataset, which"),
    ):
        assert f"{out}: {said}" in refused("plot", "run", "--out", out)
    assert "file: is there, and no folder" in refused("plot", "run", "--out", "file")
    assert sorted(Path("data").rglob("*")) == before
    assert Path("file").read_text() == "mine"
