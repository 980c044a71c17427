"""Splits that share rows are told of: by `generate`, by the card, by `verify` and `fetch`."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import examine, load_manifest
from trajstore.pipeline import Selection, generate, select
from trajstore.pipeline.cli.main import main

pytestmark = pytest.mark.slow

GRID = {"duration": 1.0, "points": 5}
SIZES = {"train": 8, "validation": 4, "test": 5}


def decay(k, box=(1.0, 1.0)):
    return {
        "name": "decay",
        "equations": {"x": "-k*x"},
        "parameters": {"k": k},
        "initial_state": {"x": list(box)},
    }


def said(folder) -> list[str]:
    found = examine(folder)
    assert found.sound
    return [note.text for note in found.notes]


@pytest.mark.parametrize(
    ("system", "counts"),
    [
        (decay({"values": [1.0, 2.0, 3.0, 4.0]}), (4, 5, 5)),
        (decay({"grid": [1.0, 2.0, 9]}), (4, 5, 4)),
        (decay(0.5), (4, 5, 5)),
    ],
)
def test_lists_from_a_fixed_start_are_told_of(system, counts, experiment, tmp_path):
    dataset = {**SIZES, "shard_rows": 3}
    folder = tmp_path / "dataset"
    summary = generate(experiment(system=system, grid=GRID, dataset=dataset), folder, jobs=1)
    validation, test, both = counts
    expected = (
        "splits share rows, with the same initial state and the same parameters: "
        f"{validation} of 4 rows of validation are in train, {test} of 5 rows of test are in train, "
        f"{both} of 5 rows of test are in validation"
    )
    assert said(folder) == [expected]
    assert summary.shared == expected
    assert f"**Note**: {expected}" in (folder / "README.md").read_text()
    # What is cut from it, too.
    select(folder, tmp_path / "cut", Selection(splits=("validation", "test")))
    assert said(tmp_path / "cut") == [
        expected[: expected.index(":") + 1] + expected[expected.rindex(",") + 1 :]
    ]


PARTLY = (
    "splits share rows, as far as these shards tell, with the same initial state and the same parameters: "
)


def test_of_some_shards_their_own_rows_are_counted(experiment, tmp_path):
    dataset = {**SIZES, "shard_rows": 3}
    generate(experiment(system=decay(0.5), grid=GRID, dataset=dataset), tmp_path, jobs=1)
    # The last 2 of 8 rows of train, all 4 of validation, the first 3 of 5 of test.
    (note,) = examine(tmp_path, shards=slice(2, 6)).notes
    assert note.text == (
        f"{PARTLY}4 of 4 rows of validation are in train, 3 of 3 rows of test are in train, "
        "3 of 3 rows of test are in validation"
    )
    assert examine(tmp_path, shards=slice(0, 3)).notes == []


def test_what_is_wrong_elsewhere_hides_no_shared_rows(experiment, tmp_path):
    dataset = {**SIZES, "shard_rows": 3}
    generate(experiment(system=decay(0.5), grid=GRID, dataset=dataset), tmp_path, jobs=1)
    whole = examine(tmp_path).notes
    (tmp_path / "stray.txt").write_text("no part of it")
    for isolated in (False, True):
        found = examine(tmp_path, isolated=isolated)
        assert [problem.file for problem in found.problems] == ["stray.txt"]
        assert found.notes == whole
    # Rows that cannot be read, or believed, say nothing.
    (tmp_path / "test-00001.h5").write_bytes(b"no shard")
    (tmp_path / "validation-00000.h5").unlink()
    for isolated in (False, True):
        (note,) = examine(tmp_path, isolated=isolated).notes
        assert note.text == (
            f"{PARTLY}1 of 1 rows of validation are in train, 3 of 3 rows of test are in train, "
            "3 of 3 rows of test are in validation"
        )


def test_rows_of_a_file_that_occur_twice_are_told_of(experiment, tmp_path):
    rows = np.arange(34.0).reshape(17, 2) / 40
    rows[12:14] = rows[3], rows[9]
    np.save(tmp_path / "rows.npy", rows)
    starts = {"kind": "file", "path": str(tmp_path / "rows.npy")}
    generate(experiment(grid=GRID, dataset=SIZES, initial_states=starts), tmp_path / "dataset", jobs=1)
    assert (
        "1 of 5 rows of test are in train, 1 of 5 rows of test are in validation"
        in said(tmp_path / "dataset")[0]
    )


def test_rows_that_came_to_the_same_rest_are_told_of(experiment, tmp_path):
    system = {"name": "rest", "equations": {"x": "1 - x"}, "initial_state": {"x": [0.0, 2.0]}}
    starts = {"kind": "attractor", "transient": 400.0}
    generate(experiment(system=system, grid=GRID, dataset=SIZES, initial_states=starts), tmp_path, jobs=1)
    assert "rows of test are in train" in said(tmp_path)[0]


def test_of_the_usual_datasets_nothing_is_said(small_dataset, failing_dataset):
    for folder in (small_dataset, failing_dataset):
        assert said(folder) == []
        assert "share rows" not in (folder / "README.md").read_text()


def test_failed_rows_teach_nothing_and_do_not_count(experiment, tmp_path):
    system = {"name": "blow-up", "equations": {"x": "k*x**2"}, "parameters": {"k": {"values": [0.5, 3.0]}}}
    system["initial_state"] = {"x": [1.0, 1.0]}
    dataset = {"train": 4, "validation": 0, "test": 4}
    generate(experiment(system=system, grid=GRID, dataset=dataset), tmp_path, jobs=1)
    assert load_manifest(tmp_path).splits["test"].failed == 2
    assert "2 of 4 rows of test are in train" in said(tmp_path)[0]


def test_the_commands_say_it_in_one_line_and_end_with_0(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        '[system]\nname = "decay"\nequations = { x = "-k*x" }\nparameters = { k = { values = [1.0, 2.0] } }\n'
        "initial_state = { x = [1.0, 1.0] }\n[grid]\nduration = 1.0\npoints = 5\n[dataset]\ntrain = 4\ntest = 2\n"
    )
    folder = str(tmp_path / "dataset")
    run = CliRunner().invoke(main, ["generate", str(config), "--out", folder])
    assert run.exit_code == 0
    assert run.stdout == ""
    (line,) = [line for line in run.stderr.splitlines() if "share rows" in line]
    assert "2 of 2 rows of test are in train" in line
    run = CliRunner().invoke(main, ["verify", folder])
    assert run.exit_code == 0
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("note:")]
    assert "2 of 2 rows of test are in train" in line
    run = CliRunner().invoke(main, ["verify", folder, "--json"])
    found = json.loads(run.stdout)
    assert (found["sound"], found["problems"], len(found["notes"])) == (True, [], 1)


def test_fetch_says_it_too(experiment, tmp_path):
    config = experiment(system=decay({"values": [1.0, 2.0]}), grid=GRID, dataset=SIZES)
    generate(config, tmp_path / "there", jobs=1)
    done = CliRunner().invoke(main, ["fetch", str(tmp_path / "there"), str(tmp_path / "here")])
    (note,) = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert done.exit_code == 0
    assert note == f"note: {examine(tmp_path / 'here').notes[0]}"
    assert "splits share rows" in note
