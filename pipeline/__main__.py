"""The program `trajstore`, also as `python -m trajstore.pipeline`."""

import errno
import mmap
import os
import signal
import sys
from typing import NoReturn

from ..data.shortage import ShortageError, limit_of

INTERRUPTED = 130
# Of address space, that any command may need beyond the libraries that all of them load.
ROOM = 256 << 20


def run() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it quietly, too."""
    try:
        if limit_of("RLIMIT_AS") is not None and not _loads():
            _end_for_want_of_memory()
        from .cli import main

        main(prog_name="trajstore")
    except KeyboardInterrupt:
        print("trajstore: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except ImportError as error:
        # What of a library does not fit into the address space any more is no MemoryError.
        if limit_of("RLIMIT_AS") is None or "failed to map" not in str(error):
            raise
        _end_for_want_of_memory()
    except SystemExit as end:
        if not end.code:
            # All is done: Ctrl-C while Python is taken down, where nobody catches it, makes no failure of it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise


def _end_for_want_of_memory() -> NoReturn:
    print(f"trajstore: {ShortageError(errno.ENOMEM)}", file=sys.stderr)
    sys.exit(2)


def _loads() -> bool:
    """Do the libraries that all commands need fit into the address space? Some end a process where they don't."""
    child = os.fork()
    if not child:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
            import h5py  # noqa: F401
            import numpy  # noqa: F401

            mmap.mmap(-1, ROOM).close()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    run()
