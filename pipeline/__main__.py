"""The program `trajstore`, also as `python -m trajstore`."""

import errno
import sys
from typing import NoReturn

from .runtime.interrupts import end_deaf, hear, nothing_else_heard

INTERRUPTED = 130


def run() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it quietly, too."""
    try:
        hear()
        with nothing_else_heard():
            code = _end()
        sys.exit(code)
    except KeyboardInterrupt:
        end_deaf()
        print("trajstore: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (ImportError, MemoryError) as error:
        # While something is imported, and wherever no command is there any more to tell it.
        from ..data.base.shortage import system_error

        if system_error(error) != errno.ENOMEM:
            raise
        _end_for_want_of_memory()
    except SystemExit:
        # All is said: Ctrl-C while Python is taken down, where nobody catches it, makes no other end of it.
        end_deaf()
        raise


def _end() -> int:
    """Exit code of the command, which is imported here."""
    _see_what_fits()
    import click

    from .cli.main import main

    try:
        return main(prog_name="trajstore", standalone_mode=False)
    except click.Abort:
        # So click calls Ctrl-C, and would make an end with 1 of it.
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return error.exit_code


def _see_what_fits() -> None:
    """Under a limit of address space, end here, and say so, where the libraries alone would come to a worse end."""
    from ..data.base.shortage import limit_of
    from .runtime.loading import fits, spare_threads

    limit = limit_of("RLIMIT_AS")
    if limit is not None:
        spare_threads(limit)
        if not fits(sys.argv[1:]):
            _end_for_want_of_memory()


def _end_for_want_of_memory() -> NoReturn:
    from ..data.base.shortage import ShortageError

    print(f"trajstore: {ShortageError(errno.ENOMEM)}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    run()
