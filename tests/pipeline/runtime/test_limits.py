"""Limits that a shell or a cluster sets: a sound dataset is sound, or the limit is named; never damage."""

import errno
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.data import FormatError, read_shard, write_shard
from trajstore.data.base.shortage import ShortageError, shortage
from trajstore.data.integrity.child_reader import IsolatedReader
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.runtime import loading

TRAJSTORE = Path(sys.executable).with_name("trajstore")
GIB = 1 << 30

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux"),
    pytest.mark.usefixtures("real_readers"),
]


def limited(kind: int, limit: int, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [TRAJSTORE, *map(str, arguments)],
        preexec_fn=partial(resource.setrlimit, kind, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["verify {}", "info {}/train-00000.h5", "fetch {} {}"])
def test_sound_files_are_sound_under_a_hard_limit_of_address_space(small_dataset, tmp_path, command):
    arguments = command.format(small_dataset, tmp_path / "copy").split()
    done = limited(resource.RLIMIT_AS, 4 * GIB, *arguments)
    assert (done.returncode, "damaged" in done.stderr + done.stdout) == (0, False), done.stderr


def test_damage_is_still_damage_under_a_limit_that_leaves_enough(dataset_copy):
    shard = dataset_copy / "train-00000.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    done = limited(resource.RLIMIT_AS, 4 * GIB, "verify", dataset_copy)
    assert done.returncode == 1
    assert "train-00000.h5" in done.stdout


def assert_named(done: subprocess.CompletedProcess, limit: int) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"limited to {limit // 1024:,} kB of address space (ulimit -v)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("limit", [60 << 20, 150 << 20, 200 << 20])
def test_too_little_address_space_is_named(small_dataset, limit):
    assert_named(limited(resource.RLIMIT_AS, limit, "verify", small_dataset), limit)


def test_libraries_start_no_more_threads_than_a_limit_has_room_for(small_dataset):
    """With a thread a core, arithmetic alone took this much."""
    done = limited(resource.RLIMIT_AS, 350 << 20, "verify", small_dataset)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def learned(small_dataset, tmp_path_factory) -> list[str | Path]:
    """Arguments of a training of a few steps, the last of them its folder; judged, too, and nothing limited."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "config.toml").write_text(
        "[model]\nhidden = 4\n[training]\nsteps = 4\nbatch = 16\nevaluate_every = 4\n"
        "[evaluation]\nrollouts = 2\nrollout_lengths = 3\n"
    )
    arguments = ["train", folder / "config.toml", "--data", small_dataset, "--out", folder / "run"]
    for command in (arguments, ["evaluate", folder / "run"]):
        done = CliRunner().invoke(main, list(map(str, command)))
        assert done.exit_code == 0, done.output
    return arguments


def test_what_is_loaded_later_is_loaded_where_there_is_room(learned, tmp_path):
    *training, _ = learned
    for command in ([*training, tmp_path / "run"], ["evaluate", tmp_path / "run"]):
        done = limited(resource.RLIMIT_AS, 2 * GIB, *command)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "megabytes"),
    [("train", 900), ("evaluate", 700), ("evaluate", 750), ("evaluate", 800), ("plot", 700)],
)
def test_what_is_loaded_later_is_tried_before_it_hangs_or_ends_the_process(
    learned, command, megabytes, tmp_path
):
    """OpenBLAS sends Ctrl-C or tries for ever, torch aborts, and Python ends in a MemoryError of its own."""
    *training, run = learned
    limit = megabytes * 1000 << 10
    arguments = [*training, tmp_path / "run"] if command == "train" else [command, run]
    assert_named(limited(resource.RLIMIT_AS, limit, *arguments), limit)


def test_a_child_that_tries_for_ever_or_is_ended_says_that_it_does_not_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "SECONDS", 1)
    monkeypatch.syspath_prepend(tmp_path)
    for number, ends in enumerate(
        ("while True: pass", "import os; os.kill(os.getpid(), 9)", "raise MemoryError")
    ):
        (tmp_path / f"ends_{number}.py").write_text(ends)
        monkeypatch.setitem(loading.LOADED, "ends", (f"ends_{number}",))
        assert not loading.fits(["--json", "ends"])
        assert loading.fits(["ends", "--help"])
    monkeypatch.setitem(loading.LOADED, "ends", ("not_installed",))
    assert loading.fits(["ends"])


def test_threads_that_were_asked_for_stay(monkeypatch):
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    loading.spare_threads(8 * GIB)
    assert "OMP_NUM_THREADS" not in os.environ
    loading.spare_threads(3 * GIB)
    assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("3", "5")
    monkeypatch.delenv("OMP_NUM_THREADS")
    loading.spare_threads(GIB >> 1)
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_shard_that_needs_more_than_the_limit_is_not_called_damaged(tmp_path, make_shard):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(60_000))
    # Most of it is what the child may need for a file of that size.
    done = limited(resource.RLIMIT_AS, 500 << 20, "verify", path)
    assert done.returncode in (0, 2), done.stdout
    assert "damaged" not in done.stdout + done.stderr


def test_too_few_file_descriptors_are_named(small_dataset):
    for limit in (6, 8):
        done = limited(resource.RLIMIT_NOFILE, limit, "verify", small_dataset)
        assert done.returncode == 2, done.stdout
        assert f"limited to {limit} open files (ulimit -n)" in done.stderr


def test_a_reader_without_descriptors_says_nothing_against_the_file(tmp_path, make_shard, monkeypatch):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        while True:
            held.append(path.open("rb"))
    except OSError:
        try:
            with pytest.raises(ShortageError, match="64 open files"):
                read_shard(path)
            with IsolatedReader() as reader, pytest.raises(ShortageError, match="64 open files"):
                reader("problems", path)
        finally:
            for file in held:
                file.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(read_shard(path).status)


def test_what_a_child_dies_of_is_its_limit_where_that_is_too_low(tmp_path, make_shard, monkeypatch):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard())
    crash = "print('ready', flush=True); import os, sys; sys.stdin.readline(); os.abort()"
    monkeypatch.setattr("trajstore.data.integrity.child_reader.COMMAND", (sys.executable, "-c", crash))
    with IsolatedReader() as reader, pytest.raises(FormatError, match="crashes"):
        reader("problems", path)
    monkeypatch.setattr("trajstore.data.integrity.child_reader.limit_of", lambda _: 100 << 20)
    with IsolatedReader() as reader, pytest.raises(ShortageError, match="too little memory"):
        reader("problems", path)


def test_only_what_is_about_the_system_is_a_shortage():
    assert shortage(OSError(errno.EACCES, "no")) is None
    assert shortage(ValueError("no")) is None
    assert shortage(RuntimeError("other")) is None
    assert shortage(OSError("unable to open file (errno = 24, error message = 'Too many open files')"))
    assert shortage(RuntimeError("can't start new thread"))
    assert shortage(MemoryError())
    assert shortage(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."))
    # A library that may not be run is none that does not fit.
    assert shortage(ImportError("libx.so: failed to map segment from shared object")) is None
    assert shortage(ImportError("no module")) is None
