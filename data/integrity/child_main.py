"""The child of `child_reader`: reads a file a request, within bounds that it sets itself. Run with `python -m`."""

import errno
import json
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..base.errors import FormatError
from ..base.memory_limit import address_space
from ..base.shortage import ShortageError
from ..shard.structure import declared_bytes
from .child_reader import MEMORY_FACTOR, READY
from .reader import TASKS

GREEDY = {"refused": "reading it needs more memory than a file of its size may take"}


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
        path = Path(request["path"])
        task = partial(TASKS[request["task"]], path, *request["arguments"])
        answer = _answer(task, path, own + request["memory"])
        _limit_memory(None)
        signal.alarm(0)
        print(json.dumps(answer), flush=True)


def _answer(task: Callable[[], Any], path: Path, memory: int) -> dict[str, Any]:
    granted = False
    try:
        granted = _limit_memory(memory)
        memory += MEMORY_FACTOR * declared_bytes(path)
        granted = _limit_memory(memory)
        return {"result": task()}
    except ShortageError as error:
        if error.number != errno.ENOMEM:
            return {"short": error.number}
        answer = GREEDY
    except FormatError as error:
        answer = {"refused": error.text}
    except MemoryError:
        answer = GREEDY
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        answer = {
            "failed": f"{type(error).__name__}: {error!s:.200}, {Path(last.filename).name}:{last.lineno}"
        }
    # With less memory than it may need, nothing can be said against the file.
    return answer if granted else {"short": errno.ENOMEM, "needed": memory}


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
