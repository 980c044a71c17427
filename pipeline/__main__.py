"""The program `trajstore`, also as `python -m trajstore.pipeline`."""

import signal
import sys

INTERRUPTED = 130


def run() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it quietly, too."""
    try:
        from .cli import main

        main(prog_name="trajstore")
    except KeyboardInterrupt:
        print("trajstore: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if not end.code:
            # All is done: Ctrl-C while Python is taken down, where nobody catches it, makes no failure of it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise


if __name__ == "__main__":
    run()
