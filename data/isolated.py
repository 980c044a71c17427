"""The child of `isolation`: reads a file a request, within bounds that it sets itself. Run with `python -m`."""

import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import TrajstoreError
from .isolation import READY
from .manifest import Manifest, load_manifest, manifest_of_file
from .structure import declared_bytes
from .verification import file_problems, recorded_problems

# Times what a file declares to hold: the values, those of them that are sound, and what is computed from them.
MEMORY_FACTOR = 4


@lru_cache(maxsize=1)
def _manifest(folder: Path) -> Manifest:
    return load_manifest(folder)


TASKS: dict[str, Callable[..., Any]] = {
    "problems": file_problems,
    "recorded problems": lambda path: recorded_problems(path.parent, _manifest(path.parent), path.name),
    "manifest": lambda path: manifest_of_file(path).model_dump(),
}


def main() -> None:
    # Whatever happens in here, it leaves no file behind, a core dump included.
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    own = _address_space()
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
    try:
        _limit_memory(memory)
        _limit_memory(memory + MEMORY_FACTOR * declared_bytes(path))
        return {"result": task(path)}
    except TrajstoreError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": f"{path}: reading it needs more memory than a file of its size may take"}
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {"failed": f"{type(error).__name__}: {error!s:.200}, {Path(last.filename).name}:{last.lineno}"}


def _limit_memory(limit: int | None) -> None:
    if sys.platform == "linux":
        soft = resource.RLIM_INFINITY if limit is None else limit
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(
            resource.RLIMIT_AS, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
        )


def _address_space() -> int:
    """Bytes of address space that this process has now."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
