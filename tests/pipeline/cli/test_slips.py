"""What is easily mistyped, or asked for in the words of other programs, is told with what was meant."""

import json

import pytest
from click.testing import CliRunner
from fetch_server import running
from trajstore.data import TrajectoryDataset, TrajstoreError
from trajstore.pipeline.cli.main import MEANT, main


def call(*arguments, code: int = 2):
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done


@pytest.mark.parametrize(("word", "command"), MEANT.items())
def test_words_of_other_programs(word, command):
    assert f"No such command '{word}'. Did you mean '{command}'?" in call(word, "x").stderr
    assert command in main.commands


@pytest.mark.parametrize("target", ["zenodo", "Zenodo", "zenod:"])
def test_a_colon_that_was_forgotten(small_dataset, target):
    assert "Did you mean zenodo:?" in call("publish", small_dataset, target).stderr


def test_the_address_of_a_page_is_a_target(small_dataset, monkeypatch):
    sent = []

    def send(_, target):
        sent.append(target)
        raise TrajstoreError("as far as here")

    monkeypatch.setattr("trajstore.pipeline.exchange.archives.hub.publish_on_hub", send)
    call("publish", small_dataset, "https://huggingface.co/datasets/lab/name")
    assert sent == ["hf://lab/name"]


def test_zenodo_without_a_token_has_received_nothing(small_dataset, monkeypatch):
    monkeypatch.delenv("ZENODO_TOKEN", raising=False)
    said = call("publish", small_dataset, "zenodo:", "--license", "CC0-1.0", "--creator", "A, B").stderr
    assert "ZENODO_TOKEN" in said
    assert "status" not in said
    assert "goes on" not in said


def test_one_dataset_is_not_merged(small_dataset, tmp_path):
    assert (
        "expected two datasets or more, got one"
        in call("merge", small_dataset, "--out", tmp_path / "m").stderr
    )
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        (["--rows", "60:80"], "note: of the 20 rows 60:80 there are 10 of train: the split ends before"),
        (["--rows", ":15"], "note: of the 15 rows 0:15 there are 10 of test: the split ends before"),
        (["--rows", "60:"], None),
        (["--rows", ":10"], None),
        (["--rows", "60:80", "--status", "ok"], None),
    ],
)
def test_rows_that_a_split_has_not(small_dataset, tmp_path, asked, note):
    done = call("select", small_dataset, "--out", tmp_path / "some", "--json", *asked, code=0)
    assert (note in done.stderr) if note else ("note:" not in done.stderr)
    json.loads(done.stdout)


@pytest.mark.parametrize(
    ("place", "rest"),
    [
        ("{}", ""),
        ("file://{}", ""),
        ("http://u:p@127.0.0.1:9/ds", ""),
        ("http://u:p@127.0.0.1:9/ds", "?key=secret"),
    ],
)
def test_fetch_takes_the_folder_of_a_shard(small_dataset, tmp_path, place, rest):
    folder = place.format(small_dataset)
    said = call("fetch", f"{folder}/train-00000.h5{rest}", tmp_path / "x").stderr
    assert f"trajstore fetch {folder.replace('u:p@', '')} DIR" in said
    assert "secret" not in said


def test_an_address_is_named_as_it_was_given(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TRAJSTORE_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with running(small_dataset) as server, pytest.raises(TrajstoreError) as caught:
        TrajectoryDataset(server.url, split="valid")
    assert str(caught.value).startswith(f"{server.url.rstrip('/')}: no split 'valid'")


def test_one_file_is_no_files(small_dataset):
    assert "MB in 1 file" in call("info", small_dataset / "train-00000.h5", code=0).stdout.replace(
        "files", "FILES"
    )
    assert "MB in 1 files" not in call("info", small_dataset, code=0).stdout
