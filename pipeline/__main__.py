"""`python -m trajstore.pipeline` is the command `trajstore`."""

from .cli import main

main(prog_name="trajstore")
