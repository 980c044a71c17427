"""The program `trajstore`, also as `python -m trajstore.pipeline`."""

import sys
from typing import NoReturn

from .interrupt import end_deaf

INTERRUPTED = 130
# Of address space, that any command may need beyond the libraries that all of them load.
ROOM = 256 << 20


def run() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it quietly, too."""
    try:
        if _limited() and not _loads():
            _end_for_want_of_memory()
        import click

        from .cli import main

        try:
            code = main(prog_name="trajstore", standalone_mode=False)
        except click.Abort:
            # So click calls Ctrl-C, and would make an end with 1 of it.
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        sys.exit(code)
    except KeyboardInterrupt:
        end_deaf()
        print("trajstore: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except ImportError as error:
        # What of a library does not fit into the address space any more is no MemoryError.
        if not _limited() or "failed to map" not in str(error):
            raise
        _end_for_want_of_memory()
    except SystemExit:
        # All is said: Ctrl-C while Python is taken down, where nobody catches it, makes no other end of it.
        end_deaf()
        raise


def _limited() -> bool:
    from ..data.shortage import limit_of

    return limit_of("RLIMIT_AS") is not None


def _end_for_want_of_memory() -> NoReturn:
    import errno

    from ..data.shortage import ShortageError

    print(f"trajstore: {ShortageError(errno.ENOMEM)}", file=sys.stderr)
    sys.exit(2)


def _loads() -> bool:
    """Do the libraries that all commands need fit into the address space? Some end a process where they don't."""
    import mmap
    import os

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
