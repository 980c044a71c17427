"""A file that trajstore writes is either whole or not there, and nothing is left behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from trajstore.data.base.files import atomic_path, remove_leftovers, write_text


def fail_halfway(path, error):
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise error


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        fail_halfway(path, ZeroDivisionError)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt):
        fail_halfway(path, KeyboardInterrupt)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_name_appears_only_when_the_file_is_whole(tmp_path):
    path = tmp_path / "file"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_file_and_folder_are_forced_to_disk_around_the_rename(tmp_path, monkeypatch):
    events = []
    synced, replaced = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (events.append(str(Path(f"/proc/self/fd/{fd}").readlink())), synced(fd))[1]
    )
    monkeypatch.setattr(os, "replace", lambda *paths: (events.append("rename"), replaced(*paths))[1])
    path = tmp_path / "file"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert events == [str(temporary), "rename", str(tmp_path)]


@pytest.mark.parametrize("named", [False, True])
def test_what_the_system_refuses_is_said_of_the_file_that_it_is_about(named, tmp_path):
    outer, inner = tmp_path / "outer", tmp_path / "inner"

    def full(temporary):
        raise OSError(errno.ENOSPC, "No space left", *([str(temporary)] if named else []))

    with pytest.raises(OSError, match="No space left") as caught, atomic_path(outer) as temporary:
        full(temporary)
    assert caught.value.filename == str(outer)
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic_path(outer),
        atomic_path(inner) as temporary,
    ):
        full(temporary)
    assert caught.value.filename == str(inner)
    assert not list(tmp_path.iterdir())


def test_texts_are_utf_8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "file", "é\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa9\n"


def test_leftovers_of_a_killed_run_are_cleared_away_and_those_of_others_are_not(tmp_path):
    for name in ("train-00000.h5.part", "film.mkv.part", "train-00000.h5"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, lambda name: name.endswith(".h5"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["film.mkv.part", "train-00000.h5"]


SLOW_WRITER = """
import sys
from pathlib import Path
from trajstore.data.base.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("slow")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path):
    # As a worker does whose parent was killed, while the run that goes on makes its shard again.
    path = tmp_path / "file"
    command = [sys.executable, "-c", SLOW_WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdout.readline() == "writing\n"
        write_text(path, "quick")
        assert path.read_text() == "quick"
        slow.communicate("\n", timeout=60)
    assert slow.returncode == 0
    assert path.read_text() == "slow"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
