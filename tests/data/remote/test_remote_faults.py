"""Servers that fail, and files that changed or are hostile: each is told, with exit code 2, and does no harm."""

import json
import shutil
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from fetch_server import PAGE, SHARD, answering, running, shard_of
from remote_commands import assert_refused, assert_same, run
from trajstore.data import (
    FormatError,
    TrajectoryDataset,
    TrajstoreError,
    examine,
    read_shard,
)
from trajstore.data.folder.names import MANIFEST
from trajstore.data.remote import mirrors, places


@pytest.mark.slow
def test_a_server_without_ranges(wide_dataset, monkeypatch, tmp_path):
    monkeypatch.setattr(mirrors, "STEP", 10_000)
    with running(wide_dataset) as server:
        server.behaviours[SHARD] = lambda handler, content: not handler.serve(content, ranges=False)
        with pytest.raises(TrajstoreError, match=r"whole files only.*trajstore fetch"):
            TrajectoryDataset(server.url)
        # What it says can be typed as it stands.
        told = f"trajstore fetch {server.url.rstrip('/')} DIR"
        assert_refused(run("select", server.url, "--out", tmp_path / "x"), "whole files only", told)
        assert run("fetch", server.url, tmp_path / "here").exit_code == 0


def chunked(handler, content):
    """The file as servers send it that make it as they go, without its size."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for begin in range(0, len(content), 1_000):
        piece = content[begin : begin + 1_000]
        handler.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.send(b"0\r\n\r\n")
    return True


def closing(handler, content):
    return not handler.answer(200, content, length=False)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [chunked, closing])
def test_small_files_may_come_without_their_size(dataset_copy, tmp_path, sent):
    with running(dataset_copy) as server:
        for path in dataset_copy.iterdir():
            if path.suffix != ".h5":
                server.behaviours[path.name] = sent
        assert_same(TrajectoryDataset(server.url)[:10], TrajectoryDataset(dataset_copy)[:10])
        server.behaviours[SHARD] = sent
        assert_refused(run("select", server.url, "--out", tmp_path / "x"), "whole files only")
        del server.behaviours[SHARD]
        assert run("verify", server.url).exit_code == 0


def test_a_manifest_of_which_not_all_comes_is_asked_for_again(server):
    def cut(handler, content):
        size, half = len(content), len(content) // 2
        return not handler.answer(206, content[:half], {"Content-Range": f"bytes 0-{half - 1}/{size}"})

    server.behaviours[MANIFEST] = cut
    assert_refused(run("info", server.url), "bytes came", "tries failed")
    assert server.names().count(MANIFEST) == places.ATTEMPTS


def test_a_server_that_asks_for_patience_gets_it(server, monkeypatch):
    waits = []
    monkeypatch.setattr(places, "time", SimpleNamespace(sleep=waits.append))
    answers = [(429, "7"), (503, "7000"), (429, "Wed, 21 Oct 2026 07:28:00 GMT")]

    def busy(handler, content):
        if not answers:
            return False
        status, wait = answers.pop(0)
        return not handler.answer(status, b"", {"Retry-After": wait})

    server.behaviours[MANIFEST] = busy
    assert run("info", server.url).exit_code == 0
    assert waits == [7, 60, 0.04]


def test_a_file_that_changes_while_it_is_read(wide_dataset):
    with running(wide_dataset) as server:
        dataset = TrajectoryDataset(server.url)
        server.behaviours[SHARD] = lambda handler, content: not handler.serve(content, tag='"new"')
        with pytest.raises(FormatError, match="another version"):
            dataset[0]
        # Who opens the dataset again has the new one.
        TrajectoryDataset(server.url)[0]


def test_a_file_that_changes_on_a_server_without_tags(wide_dataset):
    with running(wide_dataset) as server:
        changed = {"Last-Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
        server.behaviours[SHARD] = lambda handler, content: (
            not handler.serve(content, tag='W/"1"', extra=changed)
        )
        dataset = TrajectoryDataset(server.url)
        dataset[0]
        changed["Last-Modified"] = "Mon, 30 Nov 2026 11:00:00 GMT"
        with pytest.raises(FormatError, match="another version"):
            dataset[1]


@pytest.mark.slow
@pytest.mark.parametrize("come", ["small_dataset", "wide_dataset"], ids=["as a whole", "in parts"])
def test_a_file_of_another_size_or_with_other_numbers(come, request, tmp_path, forge):
    dataset_copy = shutil.copytree(request.getfixturevalue(come), tmp_path / "dataset")
    manifest = (dataset_copy / MANIFEST).read_bytes()
    whole = (dataset_copy / SHARD).read_bytes()
    (dataset_copy / SHARD).write_bytes(whole + b"\0")
    with running(dataset_copy) as server:
        with pytest.raises(FormatError, match="expected"):
            TrajectoryDataset(server.url)
        (dataset_copy / SHARD).write_bytes(whole)
        state = read_shard(dataset_copy / SHARD).state.copy()
        state[0, 1] += 1
        forge(dataset_copy, SHARD, state=state)
        assert (dataset_copy / SHARD).stat().st_size == len(whole)
        (dataset_copy / MANIFEST).write_bytes(manifest)
        with pytest.raises(FormatError, match="other numbers than the manifest says"):
            TrajectoryDataset(server.url)


def test_what_comes_as_a_whole_is_held_against_its_hash(dataset_copy):
    content = bytearray((dataset_copy / SHARD).read_bytes())
    with h5py.File(dataset_copy / SHARD) as file:
        content[file["state"].id.get_offset() + 3] ^= 1
    (dataset_copy / SHARD).write_bytes(content)
    with running(dataset_copy) as server, pytest.raises(FormatError, match="other numbers than the manifest"):
        TrajectoryDataset(server.url)


def test_a_file_that_is_not_there(dataset_copy, tmp_path):
    with running(dataset_copy) as server:
        for command in (
            ["info", f"{server.url}nowhere"],
            ["verify", f"{server.url}nowhere"],
            ["plot", f"{server.url}nowhere", "--out", tmp_path / "a"],
            ["select", f"{server.url}nowhere", "--out", tmp_path / "b"],
        ):
            assert_refused(run(*command), "no such file (status 404)", server.host)
        (dataset_copy / SHARD).unlink()
        with pytest.raises(TrajstoreError, match=f"{SHARD}.*404"):
            TrajectoryDataset(server.url)
        assert_refused(run("plot", server.url, "--out", tmp_path / "c"), SHARD, "404")


@pytest.mark.parametrize("missing", ["fsspec", "aiohttp"])
def test_a_missing_extra(server, monkeypatch, missing):
    for name in [
        name for name in sys.modules if name.split(".")[0] == missing or name.endswith("remote.web")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    places._reader.cache_clear()
    assert_refused(run("info", server.url), "pip install 'fsspec[http]>=", "trajstore fetch")


def test_what_else_servers_say(server, monkeypatch):
    server.behaviours[MANIFEST] = answering(403)
    assert_refused(run("info", server.url), "status 403")
    server.behaviours[MANIFEST] = answering(200)
    assert_refused(run("info", server.url), "HTML page")
    server.behaviours[MANIFEST] = answering(200, b"{}", {"Content-Encoding": "gzip"})
    assert_refused(run("info", server.url), "gzip")
    server.behaviours[MANIFEST] = answering(503, times=2)
    assert run("info", server.url).exit_code == 0
    server.behaviours[MANIFEST] = answering(503)
    assert_refused(run("info", server.url), "status 503", "try again")
    assert_refused(run("info", "https://127.0.0.1:1/x"), "127.0.0.1:1")
    assert_refused(run("info", "nosuch://host/x"), "fsspec knows no")
    server.behaviours[MANIFEST] = answering(302, headers={"Location": f"{server.url}{MANIFEST}"})
    assert_refused(run("info", server.url), "redirects too often")


def test_a_server_that_sends_without_end_is_left(server, dataset_copy):
    def endless(handler, content):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-16383/{len(content)}")
        handler.close_connection = True
        handler.end_headers()
        handler.send(b"x" * (64 << 20))
        return True

    server.behaviours[SHARD] = endless
    with pytest.raises(TrajstoreError, match="more than it was asked for"):
        TrajectoryDataset(server.url)
    assert server.sent[SHARD] < 32 << 20


SENSELESS = [
    (206, {"Content-Range": "bytes 5-9/10"}),
    (206, {"Content-Range": "bytes 0-9/" + "9" * 400}),
    (206, {"Content-Range": "bytes -1-\x1b[2J/*"}),
    (206, {}),
    (200, {"Content-Length": "7" * 30}),
    (200, {"Content-Encoding": "\x1b[31mgzip"}),
    (299, {}),
    (302, {}),
    (302, {"Location": "file:///etc/passwd"}),
    (302, {"Location": "http://[bad"}),
    (418, {"ETag": "\x1b]0;x"}),
]


@pytest.mark.parametrize("name", [MANIFEST, SHARD])
@pytest.mark.parametrize(("status", "headers"), SENSELESS)
def test_senseless_answers_are_told(server, monkeypatch, tmp_path, name, status, headers):
    monkeypatch.setattr(mirrors, "STEP", 10_000)
    server.behaviours[name] = lambda handler, content: not handler.answer(status, PAGE, headers, length=False)
    result = run("select", server.url, "--out", tmp_path / "never", "--split", "train")
    assert_refused(result, server.host)
    assert "\x1b" not in result.output


def test_nothing_of_a_strangers_manifest_leads_out_of_the_cache(server, dataset_copy, tmp_path, cache):
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    raw["id"] = "../../out"
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    TrajectoryDataset(server.url)
    assert run("verify", server.url).exit_code == 1
    shard_of(raw)["file"] = "../../out.h5"
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    assert_refused(run("verify", server.url), "file")
    assert not list(tmp_path.glob("out*"))
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "dataset"}


@pytest.mark.slow
def test_a_damaged_shard_is_refused_and_hangs_nothing(server, dataset_copy, time_limit):
    whole = bytearray((dataset_copy / SHARD).read_bytes())
    generator = np.random.default_rng(0)
    for _ in range(20):
        damaged = whole.copy()
        for place in generator.integers(0, 12_288, 40):
            damaged[place] = generator.integers(0, 256)
        (dataset_copy / SHARD).write_bytes(damaged)
        raw = json.loads((dataset_copy / MANIFEST).read_text())
        shard_of(raw)["sha256"] = sha256(damaged).hexdigest()
        (dataset_copy / MANIFEST).write_text(json.dumps(raw))
        with time_limit(20), suppress(TrajstoreError):
            TrajectoryDataset(server.url)[0]


def test_no_password_and_no_key_is_shown(server):
    address = server.url.replace("http://", "http://me:secret@") + "?key=hidden"
    assert run("info", address).exit_code == 0
    server.behaviours[MANIFEST] = answering(403)
    for command in (["info"], ["verify"]):
        result = run(*command, address)
        assert_refused(result, "status 403")
        assert "secret" not in result.output
        assert "hidden" not in result.output


def test_where_a_folder_is_needed_an_address_is_refused(server, tmp_path):
    result = run("train", "x.toml", "--data", server.url, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "trajstore fetch" in result.stderr


def test_a_cache_that_cannot_be_written_is_told(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRAJSTORE_CACHE", str(tmp_path / "file"))
    assert_refused(run("info", server.url), "TRAJSTORE_CACHE")


def test_the_cached_folder_is_a_dataset_like_any_other(small_dataset, cache):
    with running(small_dataset) as server:
        examine(server.url)
    (folder,) = [path for path in cache.iterdir() if path.name != "partial"]
    shutil.copytree(folder, Path(cache).parent / "copy")
    assert_same(TrajectoryDataset(Path(cache).parent / "copy")[:10], TrajectoryDataset(small_dataset)[:10])
