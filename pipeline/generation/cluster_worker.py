"""What a worker of a dask cluster does, on its machine: see whether it can work, and make shards."""

import pickle
import socket
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ...data.base.errors import TrajstoreError
from ...data.base.files import reason, temporary_path
from ...data.shard.shard import ShardRecord
from ..runtime.progress import InterruptedWork
from ..runtime.software import software
from .local_workers import Work, make_here
from .plan import ShardPlan

GO_ON = "Finished shards are kept: run the same command again to go on."


@dataclass(frozen=True)
class Badge:
    """A file in the shared folder that holds the pickled work. While it is there, the work is wanted."""

    path: Path
    sha256: str
    software: dict[str, str]


def problem_here(badge: Badge) -> str | None:
    """On a worker: what keeps it from making shards; None if nothing does."""
    folder, here = badge.path.parent, software()
    where = f"({socket.gethostname()})"
    for name in badge.software | here:
        if here.get(name) != badge.software.get(name):
            return (
                f"{where} has {name} {here.get(name, 'not at all')}, expected {badge.software.get(name, 'none')}, "
                "as here, or bytes may differ"
            )
    try:
        if not folder.is_dir():
            return f"{where} does not see this folder; it must be shared, at the same path"
        _read(badge)
        trial = temporary_path(badge.path)
        trial.write_bytes(b"trial")
        trial.unlink()
    except FileNotFoundError:
        return f"{where} sees another folder at this path; it must be the same one"
    except OSError as error:
        return f"{where} cannot read and write in this folder ({reason(error)})"
    return None


def _read(badge: Badge) -> bytes:
    content = badge.path.read_bytes()
    if sha256(content).hexdigest() != badge.sha256:
        raise FileNotFoundError(badge.path)
    return content


_works: dict[str, Work] = {}
_reading = threading.Lock()


def make_there(badge: Badge, plan: ShardPlan) -> ShardRecord | None:
    """On a worker: make one shard."""

    def report(_: int) -> None:
        if not badge.path.exists():
            raise InterruptedWork(f"{badge.path}: is gone, so nobody waits for this shard any more")

    return make_here(_work_here(badge), badge.sha256, plan, report)


def _work_here(badge: Badge) -> Work:
    """On a worker: the work, read once a process. One that came later than the others is asked now what it sees."""
    with _reading:
        if badge.sha256 not in _works:
            problem = problem_here(badge)
            if problem is not None:
                import distributed  # pyright: ignore[reportMissingImports]

                address = distributed.get_worker().address
                raise TrajstoreError(f"{badge.path.parent}: worker {address} {problem}. {GO_ON}")
            _works.clear()
            _works[badge.sha256] = pickle.loads(_read(badge))
        return _works[badge.sha256]
