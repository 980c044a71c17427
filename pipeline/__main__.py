"""The program `trajstore`, also as `python -m trajstore.pipeline`."""

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


if __name__ == "__main__":
    run()
