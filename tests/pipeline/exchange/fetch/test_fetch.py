"""Fetch: a dataset comes whole, and touches nothing else in the folder that it comes to."""

import hashlib
import json
import shutil
import threading
import time

import pooch
import pytest
from fetch_server import (
    SHARD,
    answering,
    assert_came_whole,
    assert_refused,
    broken,
    bytes_of,
    partial_of,
    run,
    shard_of,
)
from trajstore.data import TrajstoreError, examine, load_manifest, read_shard, verify, write_shard
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.pipeline import fetch, generate
from trajstore.pipeline.exchange.fetch import fetch as fetch_module
from trajstore.pipeline.exchange.fetch.transfer import WORK

pytestmark = pytest.mark.usefixtures("checks")


# The whole way


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", "/", "/manifest.json"])
def test_a_dataset_comes_byte_for_byte_from_a_server(server, dataset_copy, tmp_path, suffix):
    result = run(server.url.rstrip("/") + suffix, tmp_path / "here")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'here'}: sound\n"
    manifest = load_manifest(dataset_copy)
    for said in ("5 shards fetched; ", f"{manifest.bytes:,} bytes", f"id {manifest.id}"):
        assert said in result.stderr
    assert_came_whole(tmp_path / "here", dataset_copy)


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["{}", "{}/", "{}/manifest.json", "file://{}", "file://localhost{}/manifest.json"]
)
def test_a_dataset_comes_byte_for_byte_from_a_folder(dataset_copy, tmp_path, form):
    source = dataset_copy.rename(tmp_path / "an other place")
    url = form.format(str(source).replace(" ", "%20") if form.startswith("file") else source)
    result = run(url, tmp_path / "here")
    assert result.exit_code == 0, result.output
    assert_came_whole(tmp_path / "here", source)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_shards_come_over_as_many_connections_as_asked_for(server, dataset_copy, tmp_path, jobs):
    most, now, lock = [0], [0], threading.Lock()

    def count(handler, content):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        handler.serve(content)
        with lock:
            now[0] -= 1
        return True

    server.behaviours = {record.file: count for record in load_manifest(dataset_copy).shards}
    fetch(server.url, tmp_path / "here", jobs=jobs)
    assert most[0] == jobs
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_a_second_fetch_transfers_no_shard_and_touches_nothing(server, tmp_path, contents):
    fetch(server.url, tmp_path / "here")
    before = contents(tmp_path / "here")
    server.requests.clear()
    again = fetch(server.url, tmp_path / "here")
    assert (again.fetched, again.kept, again.bytes) == (0, 5, 0)
    assert server.names() == [MANIFEST, CHECKSUMS]
    assert contents(tmp_path / "here") == before


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ((), "0 shards fetched, 5 there already; 0 bytes"),
        (("README.md",), "5 there already, README.md replaced; 0 bytes"),
        (("croissant.json", CHECKSUMS), f"5 there already, croissant.json and {CHECKSUMS} replaced; 0 bytes"),
    ],
)
def test_documents_that_are_mended_are_told(dataset_copy, tmp_path, edited, said):
    here = shutil.copytree(dataset_copy, tmp_path / "here")
    for name in edited:
        (here / name).write_text((here / name).read_text() + "mine\n")
    done = run(dataset_copy, here)
    assert done.exit_code == 0, done.output
    assert said in done.stderr
    assert_came_whole(here, dataset_copy)


@pytest.mark.slow
def test_only_what_is_missing_or_damaged_is_fetched_again(server, dataset_copy, tmp_path):
    here = tmp_path / "here"
    fetch(server.url, here)
    (here / "train-00001.h5").unlink()
    damaged = bytearray((here / "test-00000.h5").read_bytes())
    damaged[-1] ^= 1
    (here / "test-00000.h5").write_bytes(damaged)
    (here / "README.md").write_text("")
    server.requests.clear()
    again = fetch(server.url, here)
    assert (again.fetched, again.kept, again.replaced) == (2, 3, ["README.md"])
    assert set(server.names()) == {MANIFEST, CHECKSUMS, "train-00001.h5", "test-00000.h5", "README.md"}
    assert_came_whole(here, dataset_copy)


@pytest.mark.slow
def test_what_came_is_read_in_a_process_of_its_own(server, dataset_copy, tmp_path, checks, monkeypatch):
    fetch(server.url, tmp_path / "here")
    assert checks == [{"isolated": True}]
    monkeypatch.setattr(fetch_module, "examine", examine)
    assert run(server.url, tmp_path / "there").stdout == f"{tmp_path / 'there'}: sound\n"
    assert_came_whole(tmp_path / "there", dataset_copy)


def test_a_damaged_file_stays_until_the_right_one_is_there(server, tmp_path):
    here = tmp_path / "here"
    fetch(server.url, here)
    (here / SHARD).write_bytes(b"damaged")
    server.behaviours[SHARD] = answering(200)
    with pytest.raises(TrajstoreError, match=SHARD):
        fetch(server.url, here)
    assert (here / SHARD).read_bytes() == b"damaged"


def test_a_server_without_checksums_and_documents_serves(server, dataset_copy, tmp_path):
    for name in (CHECKSUMS, *DOCUMENTS):
        (dataset_copy / name).unlink()
    fetch(server.url, tmp_path / "here")
    assert set(bytes_of(tmp_path / "here")) == set(bytes_of(dataset_copy)) | {CHECKSUMS}
    assert verify(tmp_path / "here") == []


@pytest.mark.slow
def test_a_link_in_the_place_of_a_shard_is_replaced_and_what_it_names_left_alone(
    server, dataset_copy, tmp_path
):
    here = tmp_path / "here"
    fetch(server.url, here)
    outside = (here / SHARD).rename(tmp_path / "outside.h5")
    (here / SHARD).symlink_to(outside)
    before = outside.read_bytes()
    fetch(server.url, here)
    assert not (here / SHARD).is_symlink()
    assert outside.read_bytes() == before
    assert_came_whole(here, dataset_copy)


@pytest.mark.slow
def test_progress_goes_to_stderr_and_pooch_is_as_talkative_as_before(server, tmp_path):
    level = pooch.get_logger().level
    result = run(server.url, tmp_path / "here")
    assert pooch.get_logger().level == level
    assert "Downloading" not in result.output
    assert "fetch" in result.stderr
    assert "check" in result.stderr


# The folder


@pytest.mark.slow
def test_a_folder_with_something_else_is_left_as_it_was(server, tmp_path, contents):
    here = tmp_path / "here"
    here.mkdir()
    for foreign in ("thesis.tex", "README.md", "train-00000.h5.bak"):
        (here / foreign).write_text("mine")
        before = contents(here)
        for flags in ((), ("--overwrite",)):
            assert_refused(run(server.url, here, *flags), foreign, "no part of a dataset", "or move it away")
        assert contents(here) == before
        (here / foreign).unlink()
    (here / "folder").mkdir()
    assert_refused(run(server.url, here, "--overwrite"), "folder", "no part of a dataset")


@pytest.fixture
def other_dataset(make_shard, write_dataset, tmp_path):
    shards = [
        make_shard(first_row=0),
        make_shard(first_row=100),
        make_shard(first_row=200),
        make_shard(first_row=300),
    ]
    return write_dataset(tmp_path / "other", {"train": shards})


@pytest.mark.slow
def test_another_dataset_is_refused_unless_it_may_be_thrown_away(
    server, dataset_copy, other_dataset, tmp_path, contents
):
    before = contents(other_dataset)
    assert_refused(run(server.url, other_dataset), "another dataset", "--overwrite")
    assert contents(other_dataset) == before
    (other_dataset / MANIFEST).unlink()
    before = contents(other_dataset)
    assert_refused(run(server.url, other_dataset), "train-0000", "--overwrite")
    assert contents(other_dataset) == before
    assert run(server.url, other_dataset, "--overwrite").exit_code == 0
    assert_came_whole(other_dataset, dataset_copy)


@pytest.mark.slow
def test_another_dataset_is_kept_while_none_of_the_new_files_is_there(server, other_dataset, contents):
    before = contents(other_dataset)
    for name in (
        "train-00000.h5",
        "train-00001.h5",
        "train-00002.h5",
        "validation-00000.h5",
        "test-00000.h5",
    ):
        server.behaviours[name] = answering(404)
    assert_refused(run(server.url, other_dataset, "--overwrite"), "404")
    shutil.rmtree(other_dataset / WORK)
    assert contents(other_dataset) == before


@pytest.mark.slow
def test_an_unfinished_fetch_is_gone_on_with_by_no_other_dataset(
    server, dataset_copy, other_dataset, tmp_path
):
    here = tmp_path / "here"
    server.behaviours = {record.file: broken(99, 500) for record in load_manifest(dataset_copy).shards}
    assert_refused(run(server.url, here), "tries failed")
    had = partial_of(here)
    assert_refused(run(other_dataset, here), "another dataset", "--overwrite")
    assert partial_of(here) == had
    assert run(other_dataset, here, "--overwrite").exit_code == 0
    assert_came_whole(here, other_dataset)


@pytest.mark.slow
def test_a_dataset_that_is_being_replaced_is_none_and_the_same_command_goes_on(
    server, dataset_copy, other_dataset, tmp_path
):
    server.behaviours["test-00000.h5"] = answering(404)
    assert_refused(run(server.url, other_dataset, "--overwrite", "--jobs", 1), "404")
    assert not (other_dataset / MANIFEST).exists()
    server.behaviours.clear()
    assert run(server.url, other_dataset, "--overwrite").exit_code == 0
    assert_came_whole(other_dataset, dataset_copy)


@pytest.mark.slow
def test_what_a_grown_dataset_shares_with_the_smaller_one_is_kept(
    experiment, small_dataset, tmp_path, server, dataset_copy
):
    here = tmp_path / "here"
    fetch(server.url, here)
    generate(experiment(dataset={"train": 120}), dataset_copy)
    assert_refused(run(server.url, here), "another dataset")
    again = fetch(server.url, here, overwrite=True)
    assert (again.fetched, again.kept) == (2, 4)
    assert_came_whole(here, dataset_copy)


@pytest.mark.slow
def test_right_shards_without_a_manifest_are_taken_over(server, dataset_copy, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for name in (SHARD, "test-00000.h5"):
        shutil.copy(dataset_copy / name, here)
    (here / "train-00001.h5.4242.part").write_bytes(b"of a killed generation")
    done = fetch(server.url, here)
    assert (done.fetched, done.kept) == (3, 2)
    assert_came_whole(here, dataset_copy)


@pytest.mark.slow
def test_a_partial_file_of_another_content_is_not_gone_on_with(server, dataset_copy, tmp_path):
    here = tmp_path / "here"
    server.behaviours[SHARD] = broken(99, 500)
    assert_refused(run(server.url, here, "--jobs", 1), "tries failed")
    assert partial_of(here)
    server.behaviours.clear()
    write_shard(dataset_copy / SHARD, read_shard(dataset_copy / SHARD), "gzip")
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    content = (dataset_copy / SHARD).read_bytes()
    shard_of(raw).update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (dataset_copy / MANIFEST).write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
    load_manifest(dataset_copy).save(dataset_copy)
    server.requests.clear()
    server.behaviours[SHARD] = answering(404)
    assert_refused(run(server.url, here), "404")
    assert not partial_of(here)
    server.behaviours.clear()
    fetch(server.url, here)
    assert all(span is None for _, span in server.requests)
    assert_came_whole(here, dataset_copy)


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(run(server.url, tmp_path / "file"), "is a file; expected a folder")
