"""Files that other programs lay beside a dataset's are noted by verify, and no command stumbles over them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.data import examine, verify
from trajstore.data.folder.bystanders import is_bystander
from trajstore.pipeline.cli.main import main

pytestmark = pytest.mark.slow

NAMES = (".DS_Store", "Thumbs.db", "desktop.ini", "._train-00000.h5", ".gitattributes", ".gitignore")
FOLDERS = (".cache", ".git")
CONFIG = """[system]
name = "decay"
equations = { x = "-x" }
initial_state = { x = [0.1, 1.0] }
[grid]
duration = 1.0
points = 5
[dataset]
train = 6
validation = 2
test = 2
[training]
steps = 2
batch = 2
evaluate_every = 2
"""


def run(*arguments):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, f"{arguments}: {done.output}"
    return done.stdout


def litter(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_text("left here")
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "entry").write_text("left here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("littered")
    (folder / "c.toml").write_text(CONFIG)
    litter(folder / "d")
    run("generate", folder / "c.toml", "--out", folder / "d")
    return folder


def test_they_are_notes_and_the_dataset_is_sound(folder):
    found = examine(folder / "d")
    assert found.problems == verify(folder / "d") == []
    assert {note.file for note in found.notes} == {*NAMES, *FOLDERS}
    said = run("verify", folder / "d")
    assert "note: Thumbs.db: no part of this dataset" in said
    assert said.endswith("d: sound\n")
    told = json.loads(run("verify", folder / "d", "--json"))
    assert told["sound"]
    assert len(told["notes"]) == len(NAMES) + len(FOLDERS)


def test_anything_else_is_still_a_problem(folder):
    for name in (".DS_Store.h5", "notes.txt", "Thumbs", ".hidden", "_cache", "git"):
        assert not is_bystander(name)
    (folder / "d/notes.txt").write_text("")
    try:
        assert [problem.file for problem in verify(folder / "d")] == ["notes.txt"]
    finally:
        (folder / "d/notes.txt").unlink()


def test_no_command_stumbles_over_them(folder):
    run("generate", folder / "c.toml", "--out", folder / "d")
    run("generate", folder / "c.toml", "--out", folder / "d", "--set", "dataset.seed=1", "--overwrite")
    for name in ("some", "copy", "both", "run", "tables"):
        litter(folder / name)
    run("fetch", folder / "d", folder / "copy")
    run("select", folder / "d", "--out", folder / "some", "--rows", "0:2")
    run("generate", folder / "c.toml", "--out", folder / "e", "--set", "dataset.seed=2")
    run("merge", folder / "d", folder / "e", "--out", folder / "both")
    run("export", folder / "d", "--format", "csv", "--out", folder / "tables")
    run(
        "train", folder / "c.toml", "--data", folder / "d", "--out", folder / "run", "--set", "dataset.seed=1"
    )
    for name in ("d", "copy", "some", "both"):
        assert verify(folder / name) == []
        assert (folder / name / ".git/entry").read_text() == "left here"


@pytest.mark.parametrize("as_json", [False, True])
def test_fetch_says_what_verify_does_of_the_same_folder(folder, tmp_path, as_json):
    litter(tmp_path / "here")
    done = CliRunner().invoke(
        main, ["fetch", str(folder / "d"), str(tmp_path / "here"), *(["--json"] if as_json else [])]
    )
    notes = [line for line in run("verify", tmp_path / "here").splitlines() if line.startswith("note: ")]
    assert len(notes) == len(NAMES) + len(FOLDERS)
    said = done.stderr if as_json else done.stdout
    assert (done.exit_code, [line for line in said.splitlines() if line.startswith("note: ")]) == (0, notes)
    if as_json:
        assert set(json.loads(done.stdout)) == {"id", "path", "splits"}
