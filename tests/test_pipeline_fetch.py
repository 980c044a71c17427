"""Fetch: a dataset comes whole over a server that fails in every way, or it does not come."""

import gc
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pooch
import pytest
import requests
from click.testing import CliRunner
from trajstore.data.errors import TrajstoreError
from trajstore.data.hashing import json_hash
from trajstore.data.manifest import CHECKSUMS, DOCUMENTS, MANIFEST, load_manifest
from trajstore.data.shard import read_shard, write_shard
from trajstore.data.verification import verify
from trajstore.pipeline.cli import main
from trajstore.pipeline.generate import generate
from trajstore.pipeline.sharing import download, origin
from trajstore.pipeline.sharing import fetch as fetch_module
from trajstore.pipeline.sharing.fetch import fetch
from trajstore.pipeline.sharing.transfer import WORK

PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
SHARD = "train-00000.h5"
TEXTS = [MANIFEST, CHECKSUMS, *DOCUMENTS]


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of a folder with ranges and ETags, unless a behaviour is switched on for a name."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        server = self.server
        name = self.path.partition("?")[0].removeprefix("/shared/")
        server.requests.append((name, self.headers.get("Range")))
        path = server.folder / name
        content = path.read_bytes() if path.is_file() else None
        behaviour = server.behaviours.get(name)
        self.name = name
        if behaviour is None or not behaviour(self, content):
            self.serve(content)

    def serve(self, content, *, ranges=True, tag=None, until=None, extra=()):
        """The file, or what is asked of it; `until` breaks the connection off after so many bytes."""
        if content is None:
            return self.answer(404, PAGE, {"Content-Type": "text/html"})
        tag = tag or f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Content-Type": "application/octet-stream", **dict(extra)}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not (ranges and asked and self.headers.get("If-Range", tag) == tag):
            return self.answer(200, content, headers, until)
        start = int(asked.group(1))
        if start >= len(content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self.answer(206, content[start:], headers, until)

    def answer(self, status, body, headers=(), until=None, length=True):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.close_connection = True
        self.end_headers()
        self.send(body if until is None else body[:until])
        if until is not None:
            self.close_connection = True

    def send(self, body):
        """In pieces, so that what was sent is known when the other side goes away."""
        for begin in range(0, len(body), 1 << 14):
            piece = body[begin : begin + (1 << 14)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            self.server.sent[self.name] += len(piece)
            if self.server.pause:
                time.sleep(self.server.pause)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Counts requests and the bytes of bodies; `behaviours[name](handler, content)` answers in place of it."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.behaviours = {}
        self.requests = []
        self.sent = Counter()
        self.pause = 0.0
        self.ended = threading.Event()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/shared/"

    def handle_error(self, request, client_address):
        pass

    def names(self):
        return [name for name, _ in self.requests]


@contextmanager
def running(folder):
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def server(dataset_copy):
    """Serves `dataset_copy`, which a test may damage."""
    with running(dataset_copy) as server:
        yield server


@pytest.fixture(scope="module")
def large_dataset(make_shard, write_dataset, tmp_path_factory):
    """One shard of 7 MB."""
    folder = tmp_path_factory.mktemp("large") / "dataset"
    return write_dataset(folder, {"train": [make_shard(rows=35_000)]})


@pytest.fixture
def large_server(large_dataset):
    with running(large_dataset) as server:
        yield server


@pytest.fixture(autouse=True)
def checks(monkeypatch):
    """No proxy between here and here, little patience, and no child process for each last check.

    Gives the list of what these checks were asked for.
    """
    asked = []

    def check(folder, report, **options):
        asked.append(options)
        return verify(folder, report)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    monkeypatch.setattr(fetch_module, "verify", check)
    return asked


def run(*arguments):
    return CliRunner().invoke(main, ["fetch", *map(str, arguments)])


def start(*arguments):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "trajstore.pipeline", "fetch", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.005)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def partial_of(folder):
    """Bytes of the shard that has come only in part."""
    return sum(path.stat().st_size for path in (folder / WORK).glob(f"{SHARD}.*.part"))


def assert_came_whole(folder, source):
    """Byte for byte, nothing more and nothing less, and sound."""
    assert bytes_of(folder) == bytes_of(source)
    assert verify(folder) == []


def assert_refused(result, *said):
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("trajstore: "), result.stderr
    assert "Traceback" not in result.output
    for text in said:
        assert text in result.stderr.splitlines()[-1]


def broken(times, after):
    """The first connections break off after so many bytes."""
    left = [times]

    def behaviour(handler, content):
        if not left[0]:
            return False
        left[0] -= 1
        handler.serve(content, until=after)
        return True

    return behaviour


def answering(status, body=PAGE, headers=(), times=None):
    left = [times]

    def behaviour(handler, content):
        if left[0] == 0:
            return False
        left[0] = left[0] and left[0] - 1
        handler.answer(status, body, {"Content-Type": "text/html", **dict(headers)})
        return True

    return behaviour


# The whole way


@pytest.mark.parametrize("suffix", ["", "/", "/manifest.json"])
def test_a_dataset_comes_byte_for_byte_from_a_server(server, dataset_copy, tmp_path, suffix):
    result = run(server.url.rstrip("/") + suffix, tmp_path / "here")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'here'}: sound\n"
    manifest = load_manifest(dataset_copy)
    for said in ("5 shards fetched, 0 found right", f"{manifest.bytes:,} bytes", f"id {manifest.id}"):
        assert said in result.stderr
    assert_came_whole(tmp_path / "here", dataset_copy)


@pytest.mark.parametrize(
    "form", ["{}", "{}/", "{}/manifest.json", "file://{}", "file://localhost{}/manifest.json"]
)
def test_a_dataset_comes_byte_for_byte_from_a_folder(dataset_copy, tmp_path, form):
    source = dataset_copy.rename(tmp_path / "an other place")
    url = form.format(str(source).replace(" ", "%20") if form.startswith("file") else source)
    result = run(url, tmp_path / "here")
    assert result.exit_code == 0, result.output
    assert_came_whole(tmp_path / "here", source)


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
    assert (again.fetched, again.kept) == (2, 3)
    assert set(server.names()) == {MANIFEST, CHECKSUMS, "train-00001.h5", "test-00000.h5", "README.md"}
    assert_came_whole(here, dataset_copy)


def test_what_came_is_read_in_a_process_of_its_own(server, dataset_copy, tmp_path, checks, monkeypatch):
    fetch(server.url, tmp_path / "here")
    assert checks == [{"isolated": True}]
    monkeypatch.setattr(fetch_module, "verify", verify)
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


def test_progress_goes_to_stderr_and_pooch_is_as_talkative_as_before(server, tmp_path):
    level = pooch.get_logger().level
    result = run(server.url, tmp_path / "here")
    assert pooch.get_logger().level == level
    assert "Downloading" not in result.output
    assert "fetch" in result.stderr
    assert "check" in result.stderr


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


# What is not the file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (MANIFEST, "an HTML page"),
        (CHECKSUMS, "an HTML page"),
        (SHARD, "50 bytes (text/html)"),
        ("README.md", "is not the file that SHA256SUMS lists"),
    ],
)
def test_a_page_with_status_200_is_not_taken_for_a_file(server, tmp_path, name, said):
    server.behaviours[name] = answering(200)
    assert_refused(run(server.url, tmp_path / "here"), f"{server.url}{name}: ", said)
    assert not (tmp_path / "here" / MANIFEST).exists()
    assert not (tmp_path / "here" / name).exists()
    assert server.names().count(name) == 1


def test_a_changed_shard_is_refused_and_never_takes_its_name(server, dataset_copy, tmp_path):
    changed = bytearray((dataset_copy / SHARD).read_bytes())
    changed[len(changed) // 2] ^= 1
    (dataset_copy / SHARD).write_bytes(changed)
    assert_refused(run(server.url, tmp_path / "here"), SHARD, "not the SHA-256")
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert not names & {SHARD, MANIFEST}
    assert not list((tmp_path / "here" / WORK).glob(f"{SHARD}*"))


def test_a_shard_cut_short_on_the_server_is_refused_at_once(server, dataset_copy, tmp_path):
    (dataset_copy / SHARD).write_bytes((dataset_copy / SHARD).read_bytes()[:-100])
    assert_refused(run(server.url, tmp_path / "here"), SHARD, "cut short")
    assert server.names().count(SHARD) == 1


def test_a_shard_that_ends_early_without_a_stated_length_is_refused(server, tmp_path):
    def unstated(handler, content):
        handler.answer(200, content[:-100], length=False)
        return True

    server.behaviours[SHARD] = unstated
    assert_refused(run(server.url, tmp_path / "here"), SHARD, "ended after")
    assert server.names().count(SHARD) == download.ATTEMPTS


@pytest.mark.parametrize("name", [MANIFEST, SHARD, "README.md"])
@pytest.mark.parametrize("status", [200, 302, 404])
def test_an_answer_without_end_is_cut_off(server, tmp_path, monkeypatch, name, status):
    limit = 1 << 20
    monkeypatch.setattr(fetch_module, "MAX_TEXT_FILE_BYTES", limit)

    def endless(handler, content):
        handler.answer(status, b"", {"Location": "/shared/elsewhere"}, length=False)
        while not handler.server.ended.is_set():
            try:
                handler.wfile.write(b" " * 65536)
            except OSError:
                return True
            handler.server.sent[name] += 65536
        return True

    server.behaviours[name] = endless
    assert_refused(run(server.url, tmp_path / "here"), name, "more than" if status == 200 else "404")
    if (tmp_path / "here").exists():
        assert partial_of(tmp_path / "here") == 0
    # What the system buffers on the way may have been sent, too.
    assert server.sent[name] < limit + (16 << 20)


def test_a_compressed_answer_is_refused(server, tmp_path):
    server.behaviours[SHARD] = answering(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    assert_refused(run(server.url, tmp_path / "here"), SHARD, "gzip")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_hostile_answers_end_in_a_message_that_is_fit_for_a_terminal(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    many = "9" * 5000
    answers = [
        b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: http://\x1b[31m:99999999/\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: http://" + b"a" * 300 + b".example/\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: \r\n\r\n",
        b"HTTP/1.1 403 \x1b[31mred\r\n\r\n",
        b"HTTP/1.1 200 ok\r\nContent-Encoding: \x1b[31m\r\n\r\n",
        b"HTTP/1.1 200 ok\r\nContent-Type: \x1b[31m\r\nContent-Length: 7\r\n\r\n1234567",
        f"HTTP/1.1 200 ok\r\nContent-Length: {many}\r\n\r\n1234567".encode(),
        "HTTP/1.1 200 ok\r\nContent-Length: ²\r\n\r\n1234567".encode("latin-1"),
        b"HTTP/1.1 200 ok\r\nContent-Length: 1, 2\r\n\r\n1234567",
        b"HTTP/1.1 200 ok\r\nContent-Length: -5\r\n\r\n1234567",
        b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 206 ok\r\nContent-Range: bytes 0-1/2\r\n\r\n12",
        "HTTP/1.1 503 ok\r\nRetry-After: ²\r\n\r\n".encode("latin-1"),
        f"HTTP/1.1 503 ok\r\nRetry-After: {many}\r\n\r\n".encode(),
        b"HTTP/9.9 abc def\r\n\r\n",
        b"HTTP/1.1 200 ok\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 ok\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x00\xff\x1b[31m",
        b"",
    ]
    for answer in answers:
        for name in (MANIFEST, SHARD):

            def hostile(handler, content, answer=answer):
                handler.wfile.write(answer)
                handler.close_connection = True
                return True

            server.behaviours = {name: hostile}
            result = run(server.url, tmp_path / "here")
            assert_refused(result, name)
            assert result.stderr.splitlines()[-1].isprintable()
    # urllib3 leaves the socket of a senseless answer to the collector, which warns: here, not in another test.
    gc.collect()


@pytest.mark.parametrize("name", [MANIFEST, SHARD])
@pytest.mark.parametrize("where", ["before the answer", "within it"])
def test_a_silent_server_is_given_up_after_the_timeout(
    server, tmp_path, monkeypatch, time_limit, name, where
):
    monkeypatch.setattr(origin, "TIMEOUT", (0.2, 0.2))
    monkeypatch.setattr(download, "ATTEMPTS", 2)

    def silent(handler, content):
        if where == "within it":
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[:10])
        handler.server.ended.wait(20)
        return True

    server.behaviours[name] = silent
    with time_limit(8):
        assert_refused(run(server.url, tmp_path / "here"), name, "nothing came for 0.2 s")


@pytest.mark.parametrize(("name", "status"), [(MANIFEST, 404), (MANIFEST, 403), (SHARD, 404), (SHARD, 410)])
def test_a_refusal_is_told_at_once(server, tmp_path, name, status):
    server.behaviours[name] = answering(status)
    assert_refused(run(server.url, tmp_path / "here"), f"{server.url}{name}: ", f"status {status}")
    assert server.names().count(name) == 1


@pytest.mark.parametrize(("name", "status"), [(MANIFEST, 500), (CHECKSUMS, 429), (SHARD, 500), (SHARD, 503)])
def test_a_server_in_trouble_is_asked_again(server, dataset_copy, tmp_path, name, status):
    server.behaviours[name] = answering(status, times=2)
    fetch(server.url, tmp_path / "here")
    assert_came_whole(tmp_path / "here", dataset_copy)
    server.behaviours[name] = answering(status)
    server.requests.clear()
    assert_refused(run(server.url, tmp_path / "there"), name, f"status {status}", "tries failed")
    assert server.names().count(name) == download.ATTEMPTS


def test_the_wait_that_a_server_asks_for_is_kept_within_bounds(server, dataset_copy, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LONGEST_WAIT", 0.3)
    server.behaviours[SHARD] = answering(503, headers={"Retry-After": "86400"}, times=1)
    begin = time.monotonic()
    fetch(server.url, tmp_path / "here")
    assert 0.3 <= time.monotonic() - begin < 30
    assert_came_whole(tmp_path / "here", dataset_copy)


def test_no_server_at_all_is_told_without_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "BACKOFF", 100.0)
    assert_refused(run("http://127.0.0.1:9/shared", tmp_path / "here"), "refused", "check the address")
    assert not (tmp_path / "here").exists()


# Redirections, names and secrets


def test_redirections_are_followed_and_names_are_the_manifests(server, dataset_copy, tmp_path):
    def redirect(handler, content):
        if "moved" in handler.path:
            return False
        headers = {
            "Location": f"/shared/{handler.name}?moved",
            "Content-Disposition": "attachment; filename=../x",
        }
        handler.answer(302, PAGE, headers)
        return True

    server.behaviours = dict.fromkeys(bytes_of(dataset_copy), redirect)
    fetch(server.url, tmp_path / "here")
    assert_came_whole(tmp_path / "here", dataset_copy)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/shared/manifest.json", "more than 10 times"),
        ("file:///etc/passwd", "file:///etc/passwd; expected http"),
    ],
)
def test_redirections_without_end_or_elsewhere_are_refused(server, tmp_path, location, said):
    server.behaviours[MANIFEST] = answering(302, headers={"Location": location})
    assert_refused(run(server.url, tmp_path / "here"), said)
    assert len(server.requests) <= origin.REDIRECTS


def test_no_redirection_leaves_https(monkeypatch, tmp_path):
    asked = []

    def get(self, address, **options):
        asked.append(address)
        response = requests.Response()
        response.status_code, response.headers["Location"] = 302, "http://example.org/"
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.Session, "get", get)
    assert_refused(
        run("https://example.org/shared", tmp_path / "here"), "http://example.org/; expected https"
    )
    assert asked == ["https://example.org/shared/manifest.json"]


@pytest.mark.parametrize("name", [MANIFEST, SHARD])
def test_passwords_and_keys_are_used_but_never_shown(server, dataset_copy, tmp_path, name):
    seen = []

    def guarded(handler, content):
        seen.append((handler.headers.get("Authorization"), handler.path))
        return False

    server.behaviours = dict.fromkeys(bytes_of(dataset_copy), guarded)
    url = server.url.replace("http://", "http://ada:lovelace@") + "?token=hidden"
    result = run(url, tmp_path / "here")
    assert result.exit_code == 0, result.output
    assert {secret for secret, _ in seen} == {"Basic YWRhOmxvdmVsYWNl"}
    assert all(path.endswith("?token=hidden") for _, path in seen)
    shown = result.output
    for behaviour in (answering(404), answering(200), answering(500), broken(9, 10)):
        server.behaviours = {name: behaviour}
        result = run(url, tmp_path / "there")
        assert result.exit_code == 2
        shown += result.output
    assert server.host in shown
    for secret in ("ada", "lovelace", "hidden"):
        assert secret not in shown


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "s3://bucket/x",
        "http://",
        "http:/host/x",
        "http://[::1/x",
        "http://host:x/",
        "file://host/x",
    ],
)
def test_what_is_no_address_is_refused(tmp_path, url):
    assert_refused(run(url, tmp_path / "here"), url, "no address of a dataset")
    assert not (tmp_path / "here").exists()


def test_a_folder_that_holds_no_dataset_is_refused(tmp_path):
    assert_refused(run(tmp_path / "nowhere", tmp_path / "here"), "no such file")
    os.mkfifo(tmp_path / MANIFEST)
    assert_refused(run(tmp_path, tmp_path / "here"), "no such file")
    assert not (tmp_path / "here").exists()


def test_a_proxy_that_is_not_to_be_used_is_not(server, dataset_copy, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fetch(server.url, tmp_path / "here")
    assert_came_whole(tmp_path / "here", dataset_copy)


# Manifests


def edit(folder, change, *, keep_id=True):
    """Change the JSON of a manifest."""
    raw = json.loads((folder / MANIFEST).read_text())
    change(raw)
    if not keep_id:
        contents = {
            split: [shard["content_hash"] for shard in record["shards"]]
            for split, record in raw["splits"].items()
        }
        raw["id"] = json_hash({"config": raw["config_hash"], "contents": contents})
    (folder / MANIFEST).write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def shard_of(raw):
    return raw["splits"]["train"]["shards"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: shard_of(raw).update(file="../train-00000.h5"), "String should match pattern"),
        (lambda raw: shard_of(raw).update(file="/tmp/train-00000.h5"), "String should match pattern"),
        (lambda raw: shard_of(raw).update(file="train-00000.h5\n"), "String should match pattern"),
        (
            lambda raw: shard_of(raw).update(file="train-00001.h5"),
            "train-00001.h5 stands in the place of train-00000.h5, or is there twice",
        ),
        (lambda raw: shard_of(raw).update(sha256="md5:d41d8cd98f00b204e9800998ecf8427e"), "sha256: String"),
        (lambda raw: shard_of(raw).update(sha256="../../../up"), "sha256: String"),
        (lambda raw: shard_of(raw).update(bytes=-1), "bytes"),
        (lambda raw: shard_of(raw).update(rows=33), "train"),
        (lambda raw: shard_of(raw).update(content_hash="0" * 64), "id does not follow"),
        (lambda raw: raw.update(id="0" * 64), "id does not follow"),
        (lambda raw: raw.update(format_version=3), "upgrade trajstore"),
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


# The folder


def test_a_folder_with_something_else_is_left_as_it_was(server, tmp_path, contents):
    here = tmp_path / "here"
    here.mkdir()
    for foreign in ("thesis.tex", "README.md", "train-00000.h5.bak"):
        (here / foreign).write_text("mine")
        before = contents(here)
        for flags in ((), ("--overwrite",)):
            assert_refused(run(server.url, here, *flags), foreign, "no part of a dataset")
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


def test_a_dataset_that_is_being_replaced_is_none_and_the_same_command_goes_on(
    server, dataset_copy, other_dataset, tmp_path
):
    server.behaviours["test-00000.h5"] = answering(404)
    assert_refused(run(server.url, other_dataset, "--overwrite", "--jobs", 1), "404")
    assert not (other_dataset / MANIFEST).exists()
    server.behaviours.clear()
    assert run(server.url, other_dataset, "--overwrite").exit_code == 0
    assert_came_whole(other_dataset, dataset_copy)


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


def test_right_shards_without_a_manifest_are_taken_over(server, dataset_copy, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for name in (SHARD, "test-00000.h5"):
        shutil.copy(dataset_copy / name, here)
    (here / "train-00001.h5.4242.part").write_bytes(b"of a killed generation")
    done = fetch(server.url, here)
    assert (done.fetched, done.kept) == (3, 2)
    assert_came_whole(here, dataset_copy)


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
    def silent(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:1000])
        handler.server.ended.wait(60)
        return True

    large_server.behaviours[SHARD] = silent
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
