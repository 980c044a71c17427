"""A real dask cluster on loopback: the same bytes, whoever dies in the middle; workers that cannot work are named."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.pipeline.cli.main import main

if find_spec("distributed") is None:
    pytest.skip("distributed is not installed", allow_module_level=True)

QUICK = Path(__file__).parents[3] / "configs/quick.toml"
SIZES = ("dataset.train=500", "dataset.validation=50", "dataset.test=50", "dataset.shard_rows=25")
FAST = [part for key in SIZES for part in ("--set", key)]
# Each shard takes SciPy a tenth of a second.
SLOW = [*FAST, "--set", "engine.name=scipy"]
SHARDS = 24


def waits_for(condition, seconds: float = 60.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)
    return found


class Cluster:
    """A scheduler and two workers, one of which has a nanny, on ports that the system chooses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str, *arguments: object, before: tuple[str, ...] = ()) -> Path:
        """Start a part of the cluster in a session of its own; the file of what it prints."""
        self._started += 1
        log = self._folder / f"{name}-{self._started}.log"
        command = [*before, sys.executable, "-m", "dask", *map(str, arguments)]
        with log.open("w") as output:
            self.processes[name] = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        return log

    def start_scheduler(self) -> None:
        self._contact = self._folder / f"scheduler-{self._started}.json"
        options = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", self._contact)
        self.start("scheduler", "scheduler", *options)
        waits_for(lambda: self._contact.exists() and self._contact.read_text())

    @property
    def address(self) -> str:
        return json.loads(self._contact.read_text())["address"]

    def start_worker(self, name: str, *more: object, before: tuple[str, ...] = ()) -> Path:
        options = (
            "--host",
            "127.0.0.1",
            "--nthreads",
            1,
            "--no-dashboard",
            "--local-directory",
            self._folder,
        )
        return self.start(name, "worker", self.address, "--name", name, *options, *more, before=before)

    def registered(self, log: Path) -> None:
        waits_for(lambda: "Registered to" in log.read_text())

    def heal(self) -> None:
        """Start again what died."""
        if self._dead("scheduler"):
            self.kill("nanny", "bare")
            self.start_scheduler()
        logs = []
        if self._dead("nanny"):
            logs.append(self.start_worker("nanny"))
        if self._dead("bare"):
            logs.append(self.start_worker("bare", "--no-nanny"))
        for log in logs:
            self.registered(log)

    def _dead(self, name: str) -> bool:
        return name not in self.processes or self.processes[name].poll() is not None

    def kill(self, *names: str) -> None:
        for name in names:
            if (process := self.processes.pop(name, None)) is not None:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                finally:
                    process.wait()

    def under_the_nanny(self) -> int:
        """The process that works; a nanny has other children."""
        nanny = self.processes["nanny"].pid
        children = [text.read_text() for text in Path(f"/proc/{nanny}/task").glob("*/children")]
        for child in " ".join(children).split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        raise AssertionError("the nanny has no worker")


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.kill(*list(cluster.processes))


@pytest.fixture
def cluster(_cluster):
    """The cluster, whole."""
    _cluster.heal()
    return _cluster


def command(out: Path, *more: object) -> list[str]:
    return [
        sys.executable,
        "-m",
        "trajstore.pipeline",
        "generate",
        str(QUICK),
        "--out",
        str(out),
        *map(str, more),
    ]


def on(cluster: Cluster) -> tuple[str, ...]:
    return "--backend", "dask", "--scheduler", cluster.address


def run(arguments: list[str]):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=100)


def start(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def succeeds(arguments: list[str]) -> str:
    done = run(arguments)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def succeeds_here(out: Path, *more: object) -> None:
    """The same command on threads of this process."""
    arguments = command(out, *more, "--backend", "threading")[3:]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output


def refused(code: int, errors: str, *messages: object) -> None:
    """One message, of one line, at the end; exit code 2."""
    assert code == 2, errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if not line.startswith("integrate")]
    assert len(lines) == 1, errors
    assert lines[0].startswith("trajstore: ")
    for message in messages:
        assert str(message) in lines[0]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shards(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each finished shard."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.h5")}


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The dataset of SLOW, by threads of this machine."""
    folder = tmp_path_factory.mktemp("slow") / "dataset"
    succeeds_here(folder, *SLOW)
    return folder


def test_a_cluster_makes_the_same_bytes_as_threads(cluster, tmp_path):
    succeeds_here(tmp_path / "threads", *FAST)
    assert "24 shards written" in succeeds(command(tmp_path / "cluster", *FAST, *on(cluster)))
    assert bytes_of(tmp_path / "cluster") == bytes_of(tmp_path / "threads")
    before = shards(tmp_path / "cluster")
    assert "0 shards written, 24 there already" in succeeds(
        command(tmp_path / "cluster", *FAST, *on(cluster))
    )
    assert shards(tmp_path / "cluster") == before


def test_killed_workers_are_replaced_and_the_dataset_ends_whole(cluster, slow, tmp_path):
    folder = tmp_path / "dataset"
    process = start(command(folder, *SLOW, *on(cluster)))
    waits_for(lambda: shards(folder) or process.poll() is not None)
    cluster.kill("bare")
    finished = len(shards(folder))
    waits_for(lambda: len(shards(folder)) > finished or process.poll() is not None)
    # Nobody is left until the nanny has started another one, which is asked by its first shard what it sees.
    os.kill(cluster.under_the_nanny(), signal.SIGKILL)
    assert 0 < len(shards(folder)) < SHARDS, "they were to be killed on the way"
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert bytes_of(folder) == bytes_of(slow)


def test_a_killed_scheduler_is_told_and_another_backend_goes_on(cluster, slow, tmp_path):
    folder = tmp_path / "dataset"
    process = start(command(folder, *SLOW, *on(cluster)))
    waits_for(lambda: len(shards(folder)) > 2 or process.poll() is not None)
    address = cluster.address
    cluster.kill("scheduler")
    begin = time.monotonic()
    _, errors = process.communicate(timeout=100)
    assert time.monotonic() - begin < 30
    refused(process.returncode, errors, folder, f"the dask scheduler {address} was lost", "same command")
    kept = shards(folder)
    assert 2 < len(kept) < SHARDS
    assert not (folder / "manifest.json").exists()
    succeeds_here(folder, *SLOW)
    after = shards(folder)
    assert {name: after[name] for name in kept} == kept
    assert bytes_of(folder) == bytes_of(slow)


def test_an_interrupt_stops_the_workers_and_the_same_command_goes_on(cluster, slow, tmp_path):
    folder = tmp_path / "dataset"
    process = start(command(folder, *SLOW, *on(cluster)))
    waits_for(lambda: len(shards(folder)) > 2 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted; the same command goes on from here" in errors
    assert "Traceback" not in errors
    # Workers notice a moment later.
    time.sleep(0.5)
    kept = shards(folder)
    assert 2 < len(kept) < SHARDS
    assert {path.suffix for path in folder.iterdir()} == {".h5"}
    time.sleep(1)
    assert shards(folder) == kept, "they go on"
    succeeds(command(folder, *SLOW, *on(cluster)))
    after = shards(folder)
    assert {name: after[name] for name in kept} == kept
    assert bytes_of(folder) == bytes_of(slow)


def test_what_a_killed_command_left_is_no_obstacle(cluster, slow, tmp_path):
    folder = tmp_path / "dataset"
    process = start(command(folder, *SLOW, *on(cluster)))
    waits_for(lambda: len(shards(folder)) > 2 or process.poll() is not None)
    process.kill()
    process.communicate()
    (badge,) = folder.glob("manifest.json.*.part")
    (folder / f"train-00000.h5.{badge.suffixes[-2][1:]}.part").write_bytes(b"half")
    succeeds(command(folder, *SLOW, *on(cluster)))
    assert bytes_of(folder) == bytes_of(slow)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Folders, of which a worker of another mount namespace sees another side."""
    root = tmp_path_factory.mktemp("places")
    for name in ("hidden/dataset", "another", "read-only"):
        (root / name).mkdir(parents=True)
    return root


@pytest.fixture
def stranger(cluster):
    """`stranger(...)` starts a third worker, of the name "stranger", which goes after the test; its address."""

    def begin(*more: object, before: tuple[str, ...] = ()) -> None:
        cluster.registered(cluster.start_worker("stranger", "--no-nanny", *more, before=before))

    yield begin
    cluster.kill("stranger")


SEEN = {
    "hidden/dataset": "does not see this folder; it must be shared, at the same path",
    "another": "sees another folder at this path",
    "read-only": "cannot read and write in this folder",
}


def test_a_worker_that_cannot_use_the_folder_is_named_before_any_work(cluster, stranger, places):
    mounts = (
        f"mount -t tmpfs tmpfs {places}/hidden && mount -t tmpfs tmpfs {places}/another && "
        f"mount --bind {places}/read-only {places}/read-only && mount -o remount,bind,ro {places}/read-only"
    )
    if shutil.which("unshare") is None or run(["unshare", "-m", "sh", "-c", mounts]).returncode:
        pytest.skip("mount namespaces are not permitted here")
    stranger(before=("unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"))
    for name, problem in SEEN.items():
        folder = places / name
        result = run(command(folder, *FAST, *on(cluster)))
        where = ("worker tcp://127.0.0.1:", socket.gethostname())
        refused(result.returncode, result.stderr, folder, "nothing was begun", *where, problem)
        assert result.stderr.count("worker tcp") == 1, "the others are well"
        assert not list(folder.iterdir())


LACKING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "trajstore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""
OLDER = """
import importlib.metadata
def older(name, version=importlib.metadata.version):
    return "0.0.7" if name == "trajstore" else version(name)
importlib.metadata.version = older
"""


@pytest.mark.parametrize(
    ("preload", "problem"),
    [(LACKING, "No module named 'trajstore"), (OLDER, "has trajstore 0.0.7, expected 0.1.0")],
    ids=["lacks trajstore", "another version"],
)
def test_a_worker_with_other_software_is_named_before_any_work(
    cluster, stranger, slow, tmp_path, preload, problem
):
    script, folder = tmp_path / "preload.py", tmp_path / "dataset"
    shutil.copytree(slow, folder)
    script.write_text(preload)
    stranger("--preload", script)
    result = run(command(folder, *FAST, "--overwrite", *on(cluster)))
    refused(result.returncode, result.stderr, folder, "nothing was begun", "worker tcp://127.0.0.1:", problem)
    assert bytes_of(folder) == bytes_of(slow), "the dataset that it was to replace"


def impatient(folder: Path, address: str):
    """The command with less patience than usual; how it ended, and after how many seconds."""
    script = (
        "import sys\n"
        "from trajstore.pipeline.generation import cluster\n"
        "from trajstore.pipeline.cli.main import main\n"
        "cluster.CONNECT, cluster.NO_WORKERS = 2.0, 1.0\n"
        "main(sys.argv[1:])\n"
    )
    begin = time.monotonic()
    result = run(
        [
            sys.executable,
            "-c",
            script,
            *command(folder, *FAST, "--backend", "dask", "--scheduler", address)[3:],
        ]
    )
    return result, time.monotonic() - begin


@pytest.mark.parametrize("listens", [False, True], ids=["closed", "silent"])
def test_a_scheduler_that_does_not_answer_is_told_soon(listens, tmp_path):
    folder = tmp_path / "dataset"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        result, seconds = impatient(folder, address)
    refused(result.returncode, result.stderr, f"--scheduler {address}", "no dask scheduler answers there")
    assert seconds < 40
    assert not folder.exists()


def test_a_scheduler_without_workers_is_told_soon(cluster, tmp_path):
    cluster.kill("nanny", "bare")
    result, _ = impatient(tmp_path / "dataset", cluster.address)
    refused(result.returncode, result.stderr, "has no workers", f"dask worker {cluster.address}")
