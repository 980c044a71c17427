"""Fetch believes no manifest, checksum or id that contradicts another."""

import json
import shutil

import pytest
from fetch_server import SHARD, assert_refused, run, shard_of
from trajstore.data import load_manifest, read_shard
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.pipeline.exchange.fetch import fetch as fetch_module

pytestmark = pytest.mark.usefixtures("checks")


# Manifests


def edit(folder, change):
    """Change the JSON of a manifest, whose id stays."""
    raw = json.loads((folder / MANIFEST).read_text())
    change(raw)
    (folder / MANIFEST).write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: shard_of(raw).update(file="../train-00000.h5"), "expected a text like"),
        (lambda raw: shard_of(raw).update(file="/tmp/train-00000.h5"), "expected a text like"),
        (lambda raw: shard_of(raw).update(file="train-00000.h5\n"), "expected a text like"),
        (
            lambda raw: shard_of(raw).update(file="train-00001.h5"),
            "train-00001.h5 stands in the place of train-00000.h5, or is there twice",
        ),
        (lambda raw: shard_of(raw).update(sha256="md5:d41d8cd98f00b204e9800998ecf8427e"), "sha256: got"),
        (lambda raw: shard_of(raw).update(sha256="../../../up"), "sha256: got"),
        (lambda raw: shard_of(raw).update(bytes=-1), "bytes"),
        (lambda raw: shard_of(raw).update(rows=33), "train"),
        (lambda raw: shard_of(raw).update(content_hash="0" * 64), "id does not follow"),
        (lambda raw: raw.update(id="0" * 64), "id does not follow"),
        (lambda raw: raw.update(format_version=4), "upgrade trajstore"),
        (lambda raw: raw.update(format="other"), "no trajstore manifest"),
        (lambda raw: raw["config"]["dataset"].update(train=71), "does not follow"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused_before_a_shard_is_asked_for(
    server, dataset_copy, tmp_path, change, said
):
    edit(dataset_copy, change)
    assert_refused(run(server.url, tmp_path / "here"), f"{server.url}{MANIFEST}: ", said)
    assert set(server.names()) == {MANIFEST}
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "JSON"),
        (b'{"format": "trajsto', "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"\xff\xfe", "no text in UTF-8"),
    ],
)
def test_a_manifest_that_is_no_json_is_refused(server, dataset_copy, tmp_path, text, said):
    (dataset_copy / MANIFEST).write_bytes(text)
    assert_refused(run(server.url, tmp_path / "here"), f"{server.url}{MANIFEST}: ", said)
    assert not (tmp_path / "here").exists()


def test_a_manifest_of_another_layout_is_refused(server, dataset_copy, tmp_path):
    (dataset_copy / MANIFEST).write_text(json.dumps(json.loads((dataset_copy / MANIFEST).read_text())))
    assert_refused(run(server.url, tmp_path / "here"), "not as trajstore wrote it")


def test_more_bytes_than_the_disk_has_are_refused_before_they_come(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda path: usage)
    assert_refused(run(server.url, tmp_path / "here"), "the disk has")
    assert server.sent[SHARD] == 0


@pytest.mark.parametrize(
    "change", ["0" * 64 + "  ../../x\n", "0" * 64 + "  extra.txt\n", "# nothing\n", "\xff"]
)
def test_checksums_that_list_anything_else_are_refused(server, dataset_copy, tmp_path, change):
    with (dataset_copy / CHECKSUMS).open("a", encoding="latin-1") as file:
        file.write(change)
    assert_refused(run(server.url, tmp_path / "here"), f"{server.url}{CHECKSUMS}: ")
    assert not (tmp_path / "here").exists()


def test_a_changed_document_is_refused(server, dataset_copy, tmp_path):
    (dataset_copy / "croissant.json").write_text("{}")
    assert_refused(run(server.url, tmp_path / "here"), "croissant.json", "not the file that SHA256SUMS lists")
    assert not (tmp_path / "here" / MANIFEST).exists()


@pytest.mark.slow
@pytest.mark.parametrize("length", [8, 20, 64])
def test_the_dataset_of_the_id_is_fetched_and_no_other(server, dataset_copy, tmp_path, length):
    identity = load_manifest(dataset_copy).id
    assert run(server.url, tmp_path / "here", "--id", identity[:length].upper()).exit_code == 0
    other = ("1" if identity[0] == "0" else "0") + identity[1:length]
    assert_refused(run(server.url, tmp_path / "there", "--id", other), identity, other)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("identity", ["", "abcdef0", "x" * 64, "a" * 65])
def test_an_id_that_names_nothing_is_refused(server, tmp_path, identity):
    assert_refused(run(server.url, tmp_path / "here", "--id", identity), "8 to 64 hexadecimal digits")


def test_a_dataset_that_is_unsound_at_its_source_exits_with_1(server, dataset_copy, tmp_path, forge):
    state = read_shard(dataset_copy / SHARD).state.copy()
    state[3, 5] = float("nan")
    forge(dataset_copy, SHARD, state=state)
    result = run(server.url, tmp_path / "here")
    assert result.exit_code == 1
    assert f"{SHARD}: rows whose status is ok hold values that are not finite" in result.stdout
    assert "sound\n" not in result.stdout
    assert "ask who shares it" in result.stderr
