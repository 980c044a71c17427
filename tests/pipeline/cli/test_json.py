"""What scripts get: JSON alone on stdout, words on stderr, the same exit codes with and without."""

import json
import pickle
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import Finding, examine, load_manifest, verify
from trajstore.data.base.errors import AGAIN
from trajstore.pipeline.cli.common import print_json
from trajstore.pipeline.cli.main import main

pytestmark = pytest.mark.slow

CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 60
validation = 0
test = 20
[model]
hidden = 3
[training]
steps = 4
batch = 16
[evaluation]
rollouts = 2
rollout_lengths = 2
"""


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def told(result, code=0):
    """The JSON, which is all that stdout holds."""
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def assert_tells_of(facts, folder):
    manifest = load_manifest(folder)
    assert set(facts) == {"id", "path", "splits"}
    assert (facts["id"], facts["path"]) == (manifest.id, str(folder))
    counts = {name: (split["trajectories"], split["failed"]) for name, split in facts["splits"].items()}
    assert counts == {name: (split.trajectories, split.failed) for name, split in manifest.splits.items()}


def test_each_command_that_makes_a_dataset_tells_what_it_made(config, small_dataset, tmp_path):
    made = tmp_path / "made"
    result = run("generate", config, "--out", made, "--json")
    assert_tells_of(told(result), made)
    assert "rows integrated" in result.stderr
    result = run("fetch", small_dataset, tmp_path / "fetched", "--json")
    assert_tells_of(told(result), tmp_path / "fetched")
    assert "sound" in result.stderr
    result = run("select", made, "--rows", ":5", "--out", tmp_path / "part", "--json")
    assert_tells_of(told(result), tmp_path / "part")
    rest = run("select", made, "--rows", "5:", "--out", tmp_path / "rest", "--json")
    assert rest.exit_code == 0
    result = run("merge", tmp_path / "part", tmp_path / "rest", "--out", tmp_path / "both", "--json")
    assert_tells_of(told(result), tmp_path / "both")
    table = tmp_path / "measured.csv"
    table.write_text("time,x\n" + "".join(f"{k},{k * k % 7}\n" for k in range(40)))
    result = run("import", table, "--validation", 0, "--test", 0, "--out", tmp_path / "measured", "--json")
    assert_tells_of(told(result), tmp_path / "measured")


def test_a_command_that_fails_leaves_stdout_empty_and_says_why_on_stderr(config, small_dataset, tmp_path):
    config.write_text("[grid")
    for arguments in (
        ("generate", config, "--out", tmp_path / "made"),
        ("fetch", tmp_path / "nowhere", tmp_path / "fetched"),
        ("select", small_dataset, "--rows", "900:", "--stride", "900", "--out", tmp_path / "part"),
        ("merge", small_dataset, small_dataset, "--out", tmp_path / "both"),
        ("import", config, "--out", tmp_path / "measured"),
        ("verify", tmp_path),
        ("evaluate", tmp_path),
    ):
        plain, result = run(*arguments), run(*arguments, "--json")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == plain.stderr
        assert result.stderr.startswith("trajstore: ")


def test_verify_tells_problems_as_files_and_texts(dataset_copy):
    facts = told(run("verify", dataset_copy, "--json"))
    assert facts == {"sound": True, "problems": [], "notes": []}
    (dataset_copy / "test-00000.h5").unlink()
    (dataset_copy / "mine: of\nold.txt").write_text("?")
    result = run("verify", dataset_copy, "--json")
    facts = told(result, 1)
    assert not facts["sound"]
    assert {"file": "test-00000.h5", "text": f"missing. {AGAIN}"} in facts["problems"]
    assert {"file": "mine: of\nold.txt", "text": "no part of this dataset"} in facts["problems"]
    lines = run("verify", dataset_copy).stdout.splitlines()
    assert lines == verify(dataset_copy)
    assert len(lines) == len(facts["problems"])
    assert "2 problems" in result.stderr


def test_verify_tells_what_was_integrated_again_and_repaired(dataset_copy, forge):
    (dataset_copy / "manifest.json").unlink()
    facts = told(run("verify", dataset_copy, "--repair", "--reintegrate", 3, "--json"))
    assert facts["sound"]
    assert facts["repaired"] == ["manifest.json"]
    assert facts["reintegration"]["rows"] == 3
    assert facts["reintegration"]["engine"] == "DOP853"
    assert 0 <= facts["reintegration"]["share"] < 1
    facts = told(run("verify", dataset_copy, "--shards", "0:1", "--json"))
    assert facts["shards"] == {"first": 0, "last": 0, "of": 5}
    state = np.array(np.load(_states(dataset_copy)))
    state[:, 3] += 0.01
    forge(dataset_copy, "test-00000.h5", state=state)
    facts = told(run("verify", dataset_copy, "--shards=-1:", "--reintegrate", 2, "--json"), 1)
    assert [problem["file"] for problem in facts["problems"]] == ["test-00000.h5"] * 2
    assert all("do not follow from the equations" in problem["text"] for problem in facts["problems"])


def _states(folder):
    from trajstore.data import read_shard

    path = folder.parent / "states.npy"
    np.save(path, read_shard(folder / "test-00000.h5").state)
    return path


def test_a_finding_is_its_line_and_keeps_its_parts():
    found = Finding("a: b\x1b.h5", "is\tbad")
    assert found == "a: b\\x1b.h5: is\\tbad"
    for copy in (found, pickle.loads(pickle.dumps(found))):
        assert (copy.file, copy.text, copy) == ("a: b\x1b.h5", "is\tbad", str(found))


def test_examine_of_a_sound_dataset_finds_nothing(small_dataset):
    found = examine(small_dataset)
    assert found.sound
    assert (found.problems, found.notes) == ([], [])


def test_evaluate_has_its_table_on_stdout_and_as_json_what_the_file_has(config, tmp_path):
    data, out = tmp_path / "data", tmp_path / "run"
    assert run("generate", config, "--out", data).exit_code == 0
    assert run("train", config, "--data", data, "--out", out).exit_code == 0
    result = run("evaluate", out)
    assert result.exit_code == 0
    assert "predictor" in result.stdout
    assert "persistence" in result.stdout
    assert told(run("evaluate", out, "--json")) == json.loads((out / "metrics.json").read_text())
    shutil.rmtree(data)
    failed = run("evaluate", out, "--json")
    assert (failed.exit_code, failed.stdout) == (2, "")


def test_json_holds_whatever_a_name_or_a_number_may_be(capsys):
    value = {"name": "\udce9\x9b é\n", "number": float("nan"), "list": (1.5, float("inf"))}
    print_json(value)
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": "\udce9\x9b é\n", "number": None, "list": [1.5, None]}
    assert "é" in text
    assert all(sign.isprintable() or sign == "\n" for sign in text)
