"""What the system would not give this process: memory, open files. It says nothing against the file that was read."""

import errno
import re
import sys

from .errors import TrajstoreError

HDF5_ERRNO = re.compile(r"\berrno = (\d+)")
# What Python says where there is no address space for a thread's stack, and torch where there is none for a tensor.
NO_MEMORY = ("can't start new thread", "DefaultCPUAllocator")
# What the linker says of a library for which there is none, or whose file may not be run.
NOT_MAPPED = "failed to map"
# What a process may have: number of the error, what there is too little of, the limit, and what a shell calls it.
_LIMITS = {
    errno.ENOMEM: ("memory", "RLIMIT_AS", "ulimit -v", 1024, "kB of address space"),
    errno.EMFILE: ("file descriptors", "RLIMIT_NOFILE", "ulimit -n", 1, "open files"),
}
# Of the whole machine.
_OTHERS = {errno.ENFILE: errno.EMFILE}


class ShortageError(TrajstoreError):
    """The system gives this process too little memory, or too few file descriptors, for what was asked.

    number  of the system's error
    needed  how much would do, in bytes or files
    """

    def __init__(self, number: int, needed: int | None = None) -> None:
        super().__init__(_said(number, needed))
        self.number = number


def system_error(error: BaseException) -> int | None:
    """The number of the system's error; that of HDF5 stands in the text only, of whatever exception h5py made."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RuntimeError) and any(said in str(error) for said in NO_MEMORY):
        return errno.ENOMEM
    if isinstance(error, ImportError):
        return errno.ENOMEM if NOT_MAPPED in str(error) and limit_of("RLIMIT_AS") is not None else None
    if isinstance(error, OSError | RuntimeError):
        found = HDF5_ERRNO.search(str(error))
        return int(found[1]) if found else getattr(error, "errno", None)
    return None


def shortage(error: BaseException) -> ShortageError | None:
    """What an error says of the system; None if it is about something else."""
    number = system_error(error)
    number = _OTHERS.get(number or 0, number)
    return None if number not in _LIMITS else ShortageError(number)


def _said(number: int, needed: int | None) -> str:
    what, name, command, unit, counted = _LIMITS[number]
    limit = limit_of(name)
    few = "too little" if number == errno.ENOMEM else "too few"
    if limit is None:
        return f"{few} {what} on this machine; end other programs, or use a larger one"
    asked = "" if needed is None else f", and {-(-needed // unit):,} may be needed"
    return f"{few} {what}: this process is limited to {limit // unit:,} {counted} ({command}){asked}; raise the limit"


def limit_of(name: str) -> int | None:
    """The lower of two limits, hard and soft, that the module `resource` calls so; None if there is none."""
    if sys.platform == "win32":
        return None
    import resource

    limits = [
        value for value in resource.getrlimit(getattr(resource, name)) if value != resource.RLIM_INFINITY
    ]
    return min(limits, default=None)
