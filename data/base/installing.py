"""How what is missing is installed: by the requirements of trajstore itself, for no index has trajstore."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import requires

TORCH = "torch"
PAGE = "docs/install.md"


def install(extra: str) -> str:
    """`pip install ...` of all that an extra of trajstore brings, and the extra's name."""
    return f"pip install {shlex.join(requirements(extra))} (trajstore's extra {extra})"


def install_torch() -> str:
    """The same of torch, which who makes datasets may do without."""
    (torch,) = (text for text in requirements() if text.startswith(TORCH))
    return f"pip install {shlex.quote(torch)}, on Linux with CUDA unless a build for CPUs is chosen; {PAGE} says how"


def requirements(extra: str = "") -> list[str]:
    """What an extra brings to this machine or, without one, trajstore itself, as `pip install` takes it."""
    # 5 ms, and for a message only.
    from packaging.requirements import Requirement

    found = []
    for text in requires("trajstore") or ():
        requirement = Requirement(text)
        plain = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        here = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if here and plain == (not extra):
            requirement.marker = None
            found.append(str(requirement))
    return found


@contextmanager
def needing_torch(what: str) -> Iterator[None]:
    """Where torch is missing, ModuleNotFoundError says so of `what`, and what works without."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != TORCH:
            raise
        raise ModuleNotFoundError(
            f"{what} needs {TORCH}, which is not installed, as do all training and judging; making, importing, "
            "fetching, checking, cutting, joining, exporting and drawing datasets do not, nor do load_manifest and "
            f"read_shard of trajstore.data. {install_torch()}",
            name=TORCH,
        ) from None
