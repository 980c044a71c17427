"""With which software was it made? Versions and commit, never the clock: the same input, the same bytes."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

PROGRAM = "trajstore"
# Under which a file names the page of the program that made it.
ADDRESS = "address"
PACKAGES = (PROGRAM, "numpy", "scipy", "sympy", "heyoka", "h5py")


@cache
def software() -> dict[str, str]:
    """Version of each package that has a part in the numbers; trajstore's address and commit, as far as known."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    known = {ADDRESS: _address(), "commit": _commit()}
    return versions | {key: value for key, value in known.items() if value}


def _address() -> str | None:
    """The first of `[project.urls]`, where there are any."""
    try:
        stated = metadata(PROGRAM).get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    return stated[0].partition(",")[2].strip() if stated else None


def _commit() -> str | None:
    """The commit of the checkout that this file is tracked in, "-dirty" behind it if files differ."""
    here = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed copy may lie inside somebody else's checkout, which says nothing about trajstore.
        git("ls-files", "--error-unmatch", here.name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
