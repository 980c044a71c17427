"""What comes of a dataset on a web server, in how many requests and how soon: for a first batch, and in an epoch?

A server on loopback answers each request after `--delay`. Beside ranges by trajstore: fetching the dataset first, and
h5py over fsspec's own files. `python benchmarks/remote.py`
"""

import http.server
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import fsspec
import h5py
from report import figure, machine, table
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.pipeline import check_config, fetch, generate

BATCH = 256


class Handler(http.server.BaseHTTPRequestHandler):
    """Files with ranges; counts requests and bytes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        server: Any = self.server
        time.sleep(server.delay)
        content = (server.folder / Path(self.path).name).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(content) - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        with server.lock:
            server.requests += 1
            server.bytes += (last - first + 1) * body
        if body:
            self.wfile.write(memoryview(content)[first : last + 1])

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def ways(url: str, folder: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """By name what ends with the first batch, and gives what reads the rest of the epoch."""

    def loader(place: str | Path = url, **options: Any) -> Callable[[], object]:
        batches = iter(make_loader(TrajectoryDataset(place), BATCH, **options))
        next(batches)
        return lambda: sum(1 for _ in batches)

    def fetched() -> Callable[[], object]:
        fetch(url, folder)
        return loader(folder)

    def by_fsspec() -> Callable[[], object]:
        with fsspec.open(f"{url}/train-00000.h5") as raw, h5py.File(raw) as file:
            _ = file["state"][:BATCH]
        return lambda: None

    small = {"block_bytes": 64 << 10, "buffer_bytes": 1 << 20}
    return {
        "in order": loader,
        "shuffle=True": lambda: loader(shuffle=True),
        'shuffle="block"': lambda: loader(shuffle="block"),
        'shuffle="block", buffer of 1 MiB': lambda: loader(shuffle="block", **small),
        "trajstore fetch, then in order": fetched,
        "h5py over fsspec, 256 rows": by_fsspec,
    }


@click.command()
@click.option("--delay", default=0.02, show_default=True, help="Seconds before each answer.")
@click.option("--rows", default=100_000, show_default=True, help="Of the train split.")
@click.option("--shard-rows", default=20_000, show_default=True)
def main(delay: float, rows: int, shard_rows: int) -> None:
    """Measure each way from an empty cache, after one that loads the libraries."""
    print(machine("fsspec", "aiohttp", "h5py"))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ |= {"TRAJSTORE_CACHE": str(work / "cache"), "NO_PROXY": "127.0.0.1"}
        config = {
            "system": {"name": "van-der-pol"},
            "grid": {"duration": 2.0, "step": 0.1},
            "dataset": {"train": rows, "validation": 100, "test": 100, "shard_rows": shard_rows},
        }
        generate(check_config(config, "benchmark"), work / "dataset")
        server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.folder, server.delay, server.lock = work / "dataset", delay, threading.Lock()
        server.requests = server.bytes = 0
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        used = TrajectoryDataset(work / "dataset").store.bytes
        next(iter(make_loader(TrajectoryDataset(url), BATCH)))
        lines = []
        for way, begin_with in ways(url, work / "fetched").items():
            shutil.rmtree(work / "cache", ignore_errors=True)
            server.requests = server.bytes = 0
            begin = time.perf_counter()
            rest = begin_with()
            first = [server.requests, server.bytes / 1e6, time.perf_counter() - begin]
            rest()
            whole = [server.requests, server.bytes / 1e6, time.perf_counter() - begin, server.bytes / used]
            lines.append([way, *map(figure, [*first, *whole])])
        server.shutdown()
        print(f"\n{rows:,} rows, {used / 1e6:.1f} MB of states; {delay * 1000:.0f} ms before each answer\n")
        header = ["way", *(f"first batch: {what}" for what in ("requests", "MB", "s"))]
        print(
            table([*header, *(f"epoch: {what}" for what in ("requests", "MB", "s", "of its bytes"))], lines)
        )


if __name__ == "__main__":
    main()
