"""Fetch over connections that break, and by commands that are stopped: it goes on where it was."""

import shutil
import signal
import socket
import struct
import threading
import time

import pytest
from fetch_server import (
    SHARD,
    answering,
    assert_came_whole,
    assert_refused,
    broken,
    partial_of,
    run,
    silent,
    start,
    wait_for,
)
from trajstore.data import TrajstoreError
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.pipeline import fetch
from trajstore.pipeline.exchange.fetch import download
from trajstore.pipeline.exchange.fetch.transfer import WORK

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("checks")]


# Connections that break


@pytest.mark.parametrize("times", [1, 4])
def test_a_broken_download_goes_on_where_it_broke(server, dataset_copy, tmp_path, times):
    size = (dataset_copy / SHARD).stat().st_size
    server.behaviours[SHARD] = broken(times, size // 6)
    fetch(server.url, tmp_path / "here")
    asked = [span for name, span in server.requests if name == SHARD]
    assert asked == [None, *(f"bytes={size // 6 * (count + 1)}-" for count in range(times))]
    assert server.sent[SHARD] == size
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_a_connection_that_breaks_often_but_gets_on_is_not_given_up(large_server, large_dataset, tmp_path):
    size = (large_dataset / SHARD).stat().st_size
    large_server.behaviours[SHARD] = broken(40, 600_000)
    fetch(large_server.url, tmp_path / "here")
    assert large_server.names().count(SHARD) == size // 600_000 + 1 > 2 * download.ATTEMPTS
    assert large_server.sent[SHARD] == size
    assert_came_whole(tmp_path / "here", large_dataset)


def test_one_that_does_not_is_given_up_and_the_same_command_goes_on(server, dataset_copy, tmp_path):
    size = (dataset_copy / SHARD).stat().st_size
    server.behaviours[SHARD] = broken(download.ATTEMPTS, 1000)
    assert_refused(run(server.url, tmp_path / "here"), SHARD, "tries failed", "the same command goes on")
    assert partial_of(tmp_path / "here") == 1000 * download.ATTEMPTS
    assert not (tmp_path / "here" / MANIFEST).exists()
    assert run(server.url, tmp_path / "here").exit_code == 0
    assert server.sent[SHARD] == size
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_connections_that_are_reset_lose_little(large_server, large_dataset, tmp_path):
    left = [3]

    def reset(handler, content):
        if not left[0]:
            return False
        left[0] -= 1
        handler.serve(content, until=1_000_000)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        return True

    large_server.behaviours[SHARD] = reset
    fetch(large_server.url, tmp_path / "here")
    assert_came_whole(tmp_path / "here", large_dataset)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_without_ranges_is_asked_for_the_whole_again(server, dataset_copy, tmp_path, ranges):
    size = (dataset_copy / SHARD).stat().st_size
    left = [2]

    def no_ranges(handler, content):
        left[0] -= 1
        handler.serve(content, ranges=ranges and left[0] > 0, until=1000 if left[0] >= 0 else None)
        return True

    server.behaviours[SHARD] = no_ranges
    fetch(server.url, tmp_path / "here")
    assert server.sent[SHARD] == 2000 + size
    assert_came_whole(tmp_path / "here", dataset_copy)


@pytest.mark.parametrize("fault", ["start", "none", "416"])
def test_a_server_that_gets_ranges_wrong_is_asked_for_the_whole(server, dataset_copy, tmp_path, fault):
    size = (dataset_copy / SHARD).stat().st_size
    wrong = {"start": {"Content-Range": f"bytes 0-{size - 1}/{size}"}, "none": {}, "416": {}}[fault]
    first = broken(1, 5000)

    def behaviour(handler, content):
        if first(handler, content):
            return True
        if handler.headers.get("Range"):
            handler.answer(416 if fault == "416" else 206, content, wrong)
            return True
        return False

    server.behaviours[SHARD] = behaviour
    fetch(server.url, tmp_path / "here")
    assert [span for name, span in server.requests if name == SHARD] == [None, "bytes=5000-", None]
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_a_file_that_changes_between_two_ranges_is_begun_again(server, dataset_copy, tmp_path):
    size = (dataset_copy / SHARD).stat().st_size
    first = [True]

    def changing(handler, content):
        if first.pop() if first else False:
            handler.serve(bytes(len(content)), until=size // 2)
            return True
        return False

    server.behaviours[SHARD] = changing
    fetch(server.url, tmp_path / "here")
    # The ETag that came with the first half is no longer the file's: all of it comes, once.
    assert server.sent[SHARD] == size // 2 + size
    assert_came_whole(tmp_path / "here", dataset_copy)


@pytest.mark.parametrize(
    ("tag", "date", "asked"),
    [
        ('"1"', "Sun, 22 Nov 2026 08:00:00 GMT", '"1"'),
        ('W/"1"', "Sun, 22 Nov 2026 08:00:00 GMT", "Sun, 22 Nov 2026 08:00:00 GMT"),
        ('W/"1"', None, None),
    ],
)
def test_only_what_promises_equal_bytes_tells_versions_of_a_file_apart(server, tmp_path, tag, date, asked):
    seen = []

    def behaviour(handler, content):
        seen.append(handler.headers.get("If-Range"))
        extra = {"Last-Modified": date} if date else {}
        handler.serve(content, tag=tag, extra=extra, until=5000 if len(seen) == 1 else None)
        return True

    server.behaviours[SHARD] = behaviour
    fetch(server.url, tmp_path / "here")
    assert seen == [None, asked]


@pytest.mark.parametrize("name", [CHECKSUMS, SHARD])
def test_a_connection_that_ends_before_the_answer_is_tried_again(server, dataset_copy, tmp_path, name):
    left = [2]

    def no_answer(handler, content):
        left[0] -= 1
        handler.close_connection = True
        return left[0] >= 0

    server.behaviours[name] = no_answer
    fetch(server.url, tmp_path / "here")
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_a_part_that_turns_out_wrong_is_fetched_anew_once(server, dataset_copy, tmp_path):
    first = broken(1, 5000)

    def behaviour(handler, content):
        if first(handler, bytes(len(content))):
            return True
        handler.serve(content, tag=handler.headers.get("If-Range"))
        return True

    server.behaviours[SHARD] = behaviour
    fetch(server.url, tmp_path / "here")
    assert [span for name, span in server.requests if name == SHARD] == [None, "bytes=5000-", None]
    assert_came_whole(tmp_path / "here", dataset_copy)


# Stopped, and two at once


def interrupted(server, here, number):
    """A command that a signal ends in the middle of a shard. Its exit code."""
    server.pause = 0.01
    process = start(server.url, here)
    wait_for(lambda: (here / WORK).is_dir() and partial_of(here) > 500_000)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    server.pause = 0.0
    return process.returncode, out + err


def test_a_killed_fetch_is_no_dataset_and_goes_on_where_it_was(large_server, large_dataset, tmp_path):
    size = (large_dataset / SHARD).stat().st_size
    here = tmp_path / "here"
    for _ in range(3):
        code, _ = interrupted(large_server, here, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert not (here / MANIFEST).exists()
        had = partial_of(here)
        assert 0 < had < size
    large_server.requests.clear()
    result = run(large_server.url, here)
    assert result.exit_code == 0, result.output
    assert (SHARD, f"bytes={had}-") in large_server.requests
    # Each kill may lose what was on its way.
    assert size <= large_server.sent[SHARD] < size + 3 * (1 << 20)
    assert_came_whole(here, large_dataset)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fetch_keeps_what_came(large_server, large_dataset, tmp_path, number):
    here = tmp_path / "here"
    code, said = interrupted(large_server, here, number)
    assert code == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert "Downloading data" not in said
    had = partial_of(here)
    assert had >= 500_000
    assert {path.name for path in here.iterdir()} == {WORK}
    fetch(large_server.url, here)
    assert (SHARD, f"bytes={had}-") in large_server.requests
    assert_came_whole(here, large_dataset)


def test_an_interrupt_does_not_wait_for_a_silent_server(large_server, tmp_path):
    large_server.behaviours[SHARD] = silent(1000, 60)
    process = start(large_server.url, tmp_path / "here")
    wait_for(lambda: (tmp_path / "here" / WORK).is_dir() and partial_of(tmp_path / "here") == 1000)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - begin < 10


def test_when_one_file_fails_the_others_stop_and_their_parts_stay(server, tmp_path):
    here = tmp_path / "here"
    came = threading.Event()

    def slow(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for begin in range(0, len(content), 100):
            handler.wfile.write(content[begin : begin + 100])
            if begin >= 1000:
                came.set()
            time.sleep(0.02)
        return True

    def missing(handler, content):
        came.wait(20)
        return answering(404)(handler, content)

    server.behaviours = {SHARD: slow, "train-00001.h5": missing}
    with pytest.raises(TrajstoreError, match="404"):
        fetch(server.url, here)
    had = partial_of(here)
    time.sleep(0.2)
    assert 1000 <= had == partial_of(here)


def test_two_fetches_into_one_folder_do_not_mix(large_server, large_dataset, tmp_path):
    here = tmp_path / "here"
    large_server.pause = 0.01
    first = start(large_server.url, here)
    wait_for(lambda: (here / WORK).is_dir() and partial_of(here) > 100_000)
    assert_refused(run(large_server.url, here), f"process {first.pid}", "works in this folder")
    large_server.pause = 0.0
    first.communicate(timeout=30)
    assert first.returncode == 0
    assert_came_whole(here, large_dataset)


@pytest.mark.parametrize("point", ["shard placed", "manifest missing", "staged"])
def test_a_fetch_that_died_at_any_step_goes_on(server, dataset_copy, tmp_path, point):
    here = tmp_path / "here"
    fetch(server.url, here)
    if point == "shard placed":
        (here / MANIFEST).unlink()
        (here / WORK).mkdir()
        shutil.copy(dataset_copy / MANIFEST, here / WORK)
        (here / SHARD).unlink()
    elif point == "manifest missing":
        (here / MANIFEST).unlink()
        (here / f"{MANIFEST}.4242.part").write_text("{")
    else:
        (here / MANIFEST).unlink()
        (here / WORK).mkdir()
        shutil.copy(dataset_copy / MANIFEST, here / WORK)
        (here / SHARD).rename(here / WORK / SHARD)
        (here / WORK / "tmpabcdefgh").write_text("of pooch")
    server.requests.clear()
    done = fetch(server.url, here)
    assert done.bytes == ((dataset_copy / SHARD).stat().st_size if point == "shard placed" else 0)
    assert_came_whole(here, dataset_copy)
