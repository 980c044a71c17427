"""The child of `child_reader`: reads a file a request, within bounds that it sets itself. Run with `python -m`."""

import errno
import json
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..base.errors import TrajstoreError
from ..base.memory_limit import address_space
from ..base.shortage import ShortageError
from ..folder.manifest import Manifest, load_manifest, manifest_of_file
from ..shard.structure import declared_bytes
from .child_reader import MEMORY_FACTOR, READY
from .shared_rows import shared_rows_of
from .verify import file_problems, recorded_problems


@lru_cache(maxsize=1)
def _manifest(folder: Path) -> Manifest:
    return load_manifest(folder)


TASKS: dict[str, Callable[..., Any]] = {
    "problems": file_problems,
    "recorded problems": lambda path: recorded_problems(path.parent, _manifest(path.parent), path.name),
    "rows": lambda path: shared_rows_of(path).to_dict(),
    "manifest": lambda path: manifest_of_file(path).model_dump(),
}


def main() -> None:
    # Whatever happens in here, it leaves no file behind, a core dump included.
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    own = address_space()
    print(READY, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        # What hangs inside a library is ended by the signal.
        signal.alarm(request["seconds"])
        answer = _answer(TASKS[request["task"]], Path(request["path"]), own + request["memory"])
        _limit_memory(None)
        signal.alarm(0)
        print(json.dumps(answer), flush=True)


def _answer(task: Callable[..., Any], path: Path, memory: int) -> dict[str, Any]:
    granted = False
    try:
        granted = _limit_memory(memory)
        memory += MEMORY_FACTOR * declared_bytes(path)
        granted = _limit_memory(memory)
        return {"result": task(path)}
    except ShortageError as error:
        if error.number != errno.ENOMEM:
            return {"short": error.number}
        answer = _greedy(path)
    except TrajstoreError as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = _greedy(path)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        answer = {
            "failed": f"{type(error).__name__}: {error!s:.200}, {Path(last.filename).name}:{last.lineno}"
        }
    # With less memory than it may need, nothing can be said against the file.
    return answer if granted else {"short": errno.ENOMEM, "needed": memory}


def _greedy(path: Path) -> dict[str, Any]:
    return {"refused": f"{path}: reading it needs more memory than a file of its size may take"}


def _limit_memory(limit: int | None) -> bool:
    """Whether this process may have so much address space; from now on no more, None is as much as it can get."""
    if sys.platform != "linux":
        return True
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    granted = hard == resource.RLIM_INFINITY or (limit is not None and limit <= hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit if granted and limit is not None else hard, hard))
    return granted


if __name__ == "__main__":
    main()
