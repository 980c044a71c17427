"""A disk that refuses is an exception, and the process that met it ends well."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Unix"),
]

# HDF5 crashed where the process ended, so it is the exit code that tells.
SWEEP = """
import resource, signal, sys
from pathlib import Path
from conftest import _make_shard
from trajstore.data import read_shard, write_shard
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, compression = Path(sys.argv[1]), sys.argv[2] or None
found = []
for rows in (3, 700):
    shard, path = _make_shard(rows), folder / "train-00000.h5"
    write_shard(path, shard, compression)
    size = path.stat().st_size
    for limit in [*range(1000, size, max(1000, size // 12)), size - 1, size]:
        path.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_shard(path, shard, compression)
        except OSError as error:
            assert error.filename == str(path), error
        found.append(path.exists() == (limit == size))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert [entry.name for entry in folder.iterdir()] == [path.name] * path.exists()
    # The next one is written as ever.
    write_shard(path, shard, compression)
    assert len(read_shard(path).status) == rows
print(len(found), all(found))
"""


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_whatever_part_of_a_shard_does_not_fit_is_an_error_and_no_crash(tmp_path, compression, pytestconfig):
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, tmp_path, compression],
        capture_output=True,
        text=True,
        cwd=pytestconfig.rootpath / "tests",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    count, right = done.stdout.split()
    assert int(count) > 20
    assert right == "True"
