"""A worker process whose parent was killed ends, too: nobody waits for its work, and it would idle for minutes."""

import os
import threading
import time
from functools import cache

LOOK_EVERY = 0.2


@cache
def end_with_parent(parent: int) -> None:
    """End this process, at once and without cleaning up, when its parent is gone.

    parent  the process that started this one; in that process itself it does nothing
    """
    if os.getpid() != parent:
        threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
