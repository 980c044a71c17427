"""Processes of this Python that need not import anything first.

A process takes some seconds to import torch, SymPy and matplotlib. A server that has imported them forks for each
command: a real process, with signals, limits, rights and an end of its own, and a child of the process that asked.
"""

import atexit
import ctypes
import gc
import inspect
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# dac_override, dac_read_search, fowner: with these, root does not notice what a mode forbids.
PRIVILEGES = (1, 2, 3)
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
CAPABILITY_VERSION = 0x20080522
LARGEST_REQUEST = 1 << 17
# Seconds until a process that hangs is ended.
PATIENCE = 300


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def drop_privileges() -> None:
    """Of this process, and of the programs that it starts."""
    libc = _libc()
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable ones, 32 to each number; then the higher ones.
    held = (ctypes.c_uint32 * 6)()
    libc.capget(header, held)
    for privilege in PRIVILEGES:
        libc.prctl(PR_CAPBSET_DROP, privilege, 0, 0, 0)
        for kind in range(3):
            held[kind] &= ~(1 << privilege)
    libc.capset(header, held)


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen` of this Python with `-m module`, `-c code` or a script, or of a script that Python runs.

    No file may be larger than `file_limit`; `plain` has no rights of root. Not on Linux, it starts as ever.
    """

    def __init__(
        self, command: list[Any], *, file_limit: int | None = None, plain: bool = False, **options: Any
    ) -> None:
        self._more = {"file_limit": file_limit, "plain": plain}
        super().__init__([str(part) for part in command], **options)

    def _execute_child(self, *values: Any) -> None:
        if sys.platform != "linux":
            super()._execute_child(*values)
            return
        names = list(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]
        given = dict(zip(names, values, strict=True))
        request = {
            "arguments": given["args"][1:] if given["args"][0] == sys.executable else given["args"],
            "folder": str(Path(given["cwd"] or ".").absolute()),
            "environment": dict(os.environ if given["env"] is None else given["env"]),
            "group": given["process_group"],
            "new_session": given["start_new_session"],
            **self._more,
        }
        pipes = (given["p2cread"], given["c2pwrite"], given["errwrite"])
        streams = [own if pipe == -1 else pipe for own, pipe in enumerate(pipes)]
        server = _server(any("child_main" in part for part in given["args"]))
        # The server's child leaves its own child to this process, which alone can wait for it.
        _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        socket.send_fds(server, [json.dumps(request).encode()], streams)
        self.pid = int(server.recv(100))
        _libc().prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in names if name[:3] in ("p2c", "c2p", "err")))


def run(
    command: list[Any],
    *,
    capture_output: bool = True,
    check: bool = False,
    timeout: float = PATIENCE,
    **options: Any,
) -> "subprocess.CompletedProcess[str]":
    """`subprocess.run`, which captures the output, and as text, unless it is told otherwise."""
    if capture_output:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    with Popen(command, **options) as process:
        output, errors = process.communicate(timeout=timeout)
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


@cache
def _server(of_readers: bool) -> socket.socket:
    """The other end of a server's socket; it ends with this process. One serves children that read files only."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno()), "readers" if of_readers else "commands"]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _import_for_readers() -> None:
    from trajstore.data.integrity import shared_rows, verify  # noqa: F401


def _import_for_commands() -> None:
    import torch._dynamo
    import torch.distributed.launcher.api  # noqa: F401
    from trajstore.pipeline.audit import repair  # noqa: F401
    from trajstore.pipeline.cli import main  # noqa: F401
    from trajstore.pipeline.draw.run_figures import error, flow, loss, plot, predictors, rollout  # noqa: F401
    from trajstore.pipeline.generation import generate  # noqa: F401
    from trajstore.pipeline.judge import evaluate  # noqa: F401
    from trajstore.pipeline.learn import train  # noqa: F401


def _serve(connection: socket.socket) -> None:
    # What is shared with each child is left alone there.
    gc.freeze()
    while True:
        message, streams, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
        if not message:
            return
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            break
        for descriptor in (*streams, writing):
            os.close(descriptor)
        os.waitpid(between, 0)
        connection.send(os.read(reading, 100))
        os.close(reading)
    if os.fork():
        os._exit(0)
    request = json.loads(message)
    if request["new_session"]:
        os.setsid()
    elif request["group"] >= 0:
        os.setpgid(0, request["group"])
    os.write(writing, str(os.getpid()).encode())
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    for descriptor in (*streams, reading, writing, connection.detach()):
        os.close(descriptor)
    _become(request)


def _become(request: dict[str, Any]) -> None:
    """Be, in a process just forked, what Python would be with the arguments of a request."""
    signal.alarm(PATIENCE)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if (limit := request["file_limit"]) is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if request["plain"]:
        drop_privileges()
    if action := os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter(action)
    # No folder that one stands in is on the path of a forked process, with -P or without.
    match [part for part in request["arguments"] if part != "-P"]:
        case ["-m", module, *rest]:
            sys.argv[1:] = rest
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *rest]:
            sys.argv[:] = ["-c", *rest]
            sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))
        case [script, *rest]:
            sys.argv[:] = [script, *rest]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    {"readers": _import_for_readers, "commands": _import_for_commands}[sys.argv[2]]()
    _serve(socket.socket(fileno=int(sys.argv[1])))
