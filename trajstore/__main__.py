"""`python -m trajstore`: the program `trajstore`, wherever its script is not on the path."""

from .pipeline.__main__ import run

if __name__ == "__main__":
    run()
