"""Under a limit of address space: does what a command is going to load fit into it? Native libraries do not ask.

Where OpenBLAS cannot start a thread, it sends Ctrl-C to its own process; where it gets no buffer, it tries for ever
or ends the process; torch aborts. So fewer threads are started, and a child tries first, which may come to any end.
"""

import importlib
import mmap
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

# What all commands load; then by command or option what it loads in the end, the large libraries one by one.
COMMON = ("numpy", "h5py")
ENGINES = ("scipy.integrate", "heyoka", "trajstore.pipeline.generation.generate")
LOADED = {
    "generate": ENGINES,
    "--reintegrate": ENGINES,
    "--check": ENGINES,
    "--lyapunov": ENGINES,
    "--plot": (*ENGINES, "trajstore.pipeline.draw.system"),
    "import": ("scipy.interpolate", "trajstore.pipeline.exchange.measured.importing"),
    "merge": ("trajstore.pipeline.exchange.derived.merge",),
    "select": ("trajstore.pipeline.exchange.derived.select",),
    # torch's optimizers load torch._dynamo.
    "train": ("torch", "torch._dynamo", *ENGINES, "trajstore.pipeline.learn.train"),
    "evaluate": ("torch", *ENGINES, "trajstore.pipeline.judge.evaluate"),
    "plot": ("torch", "trajstore.pipeline.draw.run_figures.plot", "trajstore.pipeline.draw.dataset"),
    "view": ("torch", "trajstore.pipeline.draw.run_figures.page", "trajstore.pipeline.draw.dataset_page"),
}
# Of address space, that a command may need beyond what it loads.
ROOM = 128 << 20
# And so much a thread, in each library that starts some: its stack, its buffers, an arena of the C library.
ROOM_A_THREAD = 1 << 30
# Of the processor's time for a child that would go on for ever.
SECONDS = 60


def spare_threads(limit: int) -> None:
    """Have libraries that are loaded from now on start no more threads than a limit of address space leaves room for.

    What the user asked for stays. Where there is room for a thread a core, nothing changes.
    """
    threads = max(1, limit // ROOM_A_THREAD)
    if threads < (os.cpu_count() or 1):
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, str(threads))


def fits(arguments: Sequence[str]) -> bool:
    """Is there address space for what the command line loads, and some more?"""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    loaded = [name for given in (command, *options) for name in LOADED.get(given, ())]
    if "-h" in options or "--help" in options:
        loaded = []
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
            for name in (*COMMON, *loaded):
                # Before, too: it is where little is left that a library tries for ever.
                _see_room()
                _load(name)
            _see_room()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _see_room() -> None:
    mmap.mmap(-1, ROOM).close()


def _load(name: str) -> None:
    # Not every machine has it; whether the command needs it, the command knows.
    with suppress(ModuleNotFoundError):
        importlib.import_module(name)
