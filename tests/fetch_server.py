"""A server of datasets that fails in every way, and what the tests of fetch share."""

import hashlib
import http.server
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import forked
import pytest
from click.testing import CliRunner
from trajstore.data import examine, verify
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.exchange.fetch import download
from trajstore.pipeline.exchange.fetch import fetch as fetch_module
from trajstore.pipeline.exchange.fetch.transfer import WORK

PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
SHARD = "train-00000.h5"


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of a folder with ranges and ETags, unless a behaviour is switched on for a name."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        server = self.server
        name = self.path.partition("?")[0].removeprefix("/shared/")
        server.requests.append((name, self.headers.get("Range")))
        time.sleep(server.delay)
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
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not (ranges and asked and self.headers.get("If-Range", tag) == tag):
            return self.answer(200, content, headers, until)
        start = int(asked.group(1))
        if start >= len(content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        last = min(int(asked.group(2) or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
        return self.answer(206, content[start : last + 1], headers, until)

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
        self.pause = self.delay = 0.0
        self.ended = threading.Event()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/shared/"

    def handle_error(self, request, client_address):
        pass

    def names(self):
        return [name for name, _ in self.requests]


@contextmanager
def running(folder, kind=Server):
    """A server of a kind over a folder, in a thread of its own; it ends with the block."""
    with kind(folder) as server:
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


@pytest.fixture(scope="session")
def large_dataset(make_shard, write_dataset, tmp_path_factory):
    """One shard of 7 MB."""
    folder = tmp_path_factory.mktemp("large") / "dataset"
    return write_dataset(folder, {"train": [make_shard(rows=35_000)]})


@pytest.fixture
def large_server(large_dataset):
    with running(large_dataset) as server:
        yield server


@pytest.fixture
def checks(monkeypatch):
    """No proxy between here and here, little patience, and no child process for each last check.

    Gives the list of what these checks were asked for.
    """
    asked = []

    def check(folder, report, **options):
        asked.append(options)
        return examine(folder, report)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    monkeypatch.setattr(fetch_module, "examine", check)
    return asked


def run(*arguments):
    return CliRunner().invoke(main, ["fetch", *map(str, arguments)])


def start(*arguments):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "trajstore.pipeline", "fetch", *map(str, arguments)]
    return forked.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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


def silent(after, seconds):
    """Nothing comes after so many bytes of the file, None is before the answer, until so long or the server's end."""

    def behaviour(handler, content):
        if after is not None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[:after])
        handler.server.ended.wait(seconds)
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


def shard_of(raw):
    """The first shard of train in the JSON of a manifest."""
    return raw["splits"]["train"]["shards"][0]
