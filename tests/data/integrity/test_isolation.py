"""A file that crashes, hangs or exhausts its reader is a message, and the next file is read as ever."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import h5py
import pytest
from trajstore.data import FormatError, TrajectoryDataset, TrajstoreError, verify, write_shard
from trajstore.data.integrity import child_reader as isolation_module
from trajstore.data.integrity import readers as readers_module
from trajstore.data.integrity.child_reader import IsolatedReader

TRAJSTORE = Path(sys.executable).with_name("trajstore")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("real_readers")]


@pytest.fixture
def shard(tmp_path, make_shard) -> Path:
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard())
    return path


@pytest.fixture
def hanging(tmp_path, make_shard) -> Path:
    """A shard whose texts lead into its own numbers, where a heap lies that hangs the HDF5 library."""
    path = tmp_path / "train-00007.h5"
    write_shard(path, make_shard())
    heap = b"GCOL\x01\0\0\0" + (4096).to_bytes(8, "little") + bytes(48)
    with h5py.File(path) as file:
        place = file["state"].id.get_offset()
    content = path.read_bytes()
    content = content[:place] + heap + content[place + len(heap) :]
    # A text is stored as its length, the address of its heap, and its number there.
    length = len("noise").to_bytes(4, "little")
    begins = [at for at in range(0, len(content), 8) if content[at : at + 8] == heap[:8] and at != place]
    for true in begins:
        content = content.replace(length + true.to_bytes(8, "little"), length + place.to_bytes(8, "little"))
    path.write_bytes(content)
    return path


def stand_in(monkeypatch, code: str) -> None:
    """Another program in place of the child: what any library might do to it."""
    script = f"print('ready', flush=True); import os, sys, signal, time; sys.stdin.readline(); {code}"
    monkeypatch.setattr(isolation_module, "COMMAND", (sys.executable, "-c", script))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashes on it .signal 11"),
        ("os.abort()", "crashes on it .signal 6"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "crashes on it .signal 7"),
        ("os._exit(3)", "crashes on it .exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "no memory left"),
        ("signal.alarm(1); time.sleep(60)", "does not end within"),
        ("print('half an answer', end='', flush=True); os.abort()", "crashes on it"),
    ],
)
def test_whatever_ends_the_child_is_a_message_about_the_file(shard, monkeypatch, code, expected):
    with IsolatedReader() as reader:
        with monkeypatch.context() as patch:
            stand_in(patch, code)
            with pytest.raises(FormatError, match=expected) as found:
                reader("problems", shard)
            assert str(shard) in str(found.value)
        # Another child takes its place.
        assert reader("problems", shard) == []


def test_a_file_that_hangs_the_library_is_a_problem_and_the_others_are_still_read(
    hanging, shard, monkeypatch, time_limit
):
    with IsolatedReader(seconds=1) as reader, time_limit(20):
        with pytest.raises(FormatError, match="does not end within 1 s"):
            reader("problems", hanging)
        assert reader("problems", shard) == []


def test_the_hanging_file_hangs_whoever_reads_it_otherwise(hanging):
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        TrajectoryDataset(hanging)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGALRM


def test_a_file_may_take_only_memory_in_proportion_to_what_it_holds(tmp_path, make_shard):
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(20_000))
    with IsolatedReader() as reader:
        assert reader("problems", path) == []
        # Less than the whole file: as if reading took more than it should.
        with pytest.raises(FormatError, match=r"no memory for|more memory"):
            _with_factor(path)


def _with_factor(path: Path) -> None:
    """In a child that grants nothing beyond what it has."""
    code = "import trajstore.data.integrity.child_main as child; child.MEMORY_FACTOR = 0; child.main()"
    command = (sys.executable, "-P", "-c", code)
    before = isolation_module.COMMAND
    isolation_module.COMMAND = command
    try:
        with IsolatedReader(memory=1 << 20) as reader:
            reader("problems", path)
    finally:
        isolation_module.COMMAND = before


def test_a_large_file_has_the_memory_that_it_needs(tmp_path, make_shard):
    # Ten times the allowance; every second row failed, so that the sound ones are copied. A smaller allowance is less
    # than HDF5 takes to open any file, and then it crashes.
    path = tmp_path / "train-00000.h5"
    write_shard(path, make_shard(400_000, failed=tuple(range(0, 400_000, 2))))
    with IsolatedReader(memory=path.stat().st_size // 10) as reader:
        assert reader("problems", path) == []


def test_a_mistake_of_ours_names_the_file_and_is_not_passed_off_as_its_damage(shard, monkeypatch):
    code = """
import trajstore.data.integrity.child_main as child
child.TASKS["problems"] = lambda path: 1 / 0
child.main()
"""
    monkeypatch.setattr(isolation_module, "COMMAND", (sys.executable, "-c", code))
    with (
        IsolatedReader() as reader,
        pytest.raises(FormatError, match=r"ZeroDivisionError.*mistake of traj") as found,
    ):
        reader("problems", shard)
    assert str(found.value).startswith(f"{shard}: ")


def test_a_mistake_of_ours_over_one_shard_is_a_problem_and_the_others_are_still_read(
    dataset_copy, monkeypatch
):
    code = """
import trajstore.data.integrity.child_main as child
child.TASKS["recorded problems"] = lambda path, *_: 1 / ("00001" not in path.name) and []
child.main()
"""
    monkeypatch.setattr(isolation_module, "COMMAND", (sys.executable, "-c", code))
    (found,) = verify(dataset_copy, isolated=True)
    assert re.match("train-00001.h5: .*ZeroDivisionError", found)


def test_however_large_a_file_pretends_to_be_its_time_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "train-00000.h5"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    code = "import json; print(json.dumps({'result': json.loads(line)['seconds']}), flush=True)"
    script = f"print('ready', flush=True); import sys; line = sys.stdin.readline(); {code}"
    monkeypatch.setattr(isolation_module, "COMMAND", (sys.executable, "-c", script))
    with IsolatedReader() as reader:
        assert reader("problems", path) == 3600


def test_a_child_that_does_not_start_is_said_to(shard, monkeypatch):
    monkeypatch.setattr(isolation_module, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    with IsolatedReader() as reader, pytest.raises(TrajstoreError, match="does not start"):
        reader("problems", shard)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_child_for_each_core_reads_all_files(cores, small_dataset, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(readers_module, "CHILD_BYTES", 1)
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: (started.append(1), popen(*args, **options))[1]
    )
    told = []
    assert verify(small_dataset, told.append, isolated=True) == []
    assert (len(started), told) == (cores, [1, 2, 3, 4, 5])


def test_problems_are_the_same_in_and_out_of_isolation(dataset_copy):
    path = dataset_copy / "train-00001.h5"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    (dataset_copy / "train-00002.h5").unlink()
    (dataset_copy / "test-00000.h5").write_bytes(content[:3000])
    found = verify(dataset_copy)
    assert len(found) >= 3
    assert verify(dataset_copy, isolated=True) == found


def test_nothing_is_imported_from_the_folder_that_one_stands_in(dataset_copy):
    # Whoever verifies a stranger's dataset from within its folder must not run what lies there.
    for name in ("numpy", "h5py", "json", "trajstore", "sitecustomize"):
        (dataset_copy / f"{name}.py").write_text("open('owned', 'w')\n")
    done = subprocess.run(
        [TRAJSTORE, "verify", "."], cwd=dataset_copy, capture_output=True, text=True, timeout=60
    )
    assert not (dataset_copy / "owned").exists()
    assert done.returncode == 1
    assert "numpy.py: no part of this dataset" in done.stdout
    assert "train-" not in done.stdout


@pytest.mark.parametrize("command", ["verify", "info"])
def test_the_commands_survive_a_file_that_hangs_and_leave_no_process_when_interrupted(hanging, command):
    process = forked.Popen(
        [TRAJSTORE, command, hanging], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = _children_of(process.pid)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def test_a_child_whose_parent_was_killed_ends(shard):
    code = """
import os, sys
from pathlib import Path
from trajstore.data.integrity.child_reader import IsolatedReader
reader = IsolatedReader()
reader("problems", Path(sys.argv[1]))
print(reader._child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    said = forked.run([sys.executable, "-c", code, shard]).stdout
    deadline = time.monotonic() + 20
    while Path(f"/proc/{int(said)}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _children_of(process: int) -> list[int]:
    """Once there are any, and they are at work."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        if found and Path(f"/proc/{found[0]}/stat").read_text().split()[2] == "R":
            return [int(child) for child in found]
        time.sleep(0.05)
    raise AssertionError("no child at work")


def test_requests_and_answers_are_lines_of_json(shard):
    child = subprocess.Popen(
        isolation_module.COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    request = {"task": "problems", "path": str(shard), "arguments": [], "seconds": 9, "memory": 1 << 29}
    said, _ = child.communicate(json.dumps(request) + "\n", timeout=30)
    ready, answer = said.splitlines()
    assert (ready, json.loads(answer)) == ("ready", {"result": []})
    assert child.returncode == 0
