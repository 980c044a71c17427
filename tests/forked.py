"""The command `trajstore` in processes of its own that need not import anything first.

A process takes two seconds to import torch and matplotlib. A server that has imported them forks for each command: a
real process, with limits, rights and an end of its own.
"""

import atexit
import ctypes
import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

# dac_override, dac_read_search, fowner: with these, root does not notice what a mode forbids.
PRIVILEGES = (1, 2, 3)
PR_CAPBSET_DROP = 24
CAPABILITY_VERSION = 0x20080522
LIBC = ctypes.CDLL(None)
LARGEST_REQUEST = 1 << 16
# Seconds until a command that hangs is ended.
PATIENCE = 120


def drop_privileges() -> None:
    """Of this process, and of the programs that it starts."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable ones, 32 to each number; then the higher ones.
    held = (ctypes.c_uint32 * 6)()
    LIBC.capget(header, held)
    for privilege in PRIVILEGES:
        LIBC.prctl(PR_CAPBSET_DROP, privilege, 0, 0, 0)
        for kind in range(3):
            held[kind] &= ~(1 << privilege)
    LIBC.capset(header, held)


def run(
    arguments: list[str], *, file_limit: int | None = None, plain: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Output and exit code of a command. No file may be larger than `file_limit`; `plain` has no rights of root."""
    server, pipes = _server(), (os.pipe(), os.pipe())
    request = json.dumps([arguments, file_limit, plain]).encode()
    socket.send_fds(server, [request], [write for _, write in pipes])
    for _, write in pipes:
        os.close(write)
    with ThreadPoolExecutor(2) as readers:
        output, errors = readers.map(_read, [read for read, _ in pipes])
    return subprocess.CompletedProcess(arguments, int(server.recv(100)), output, errors)


@cache
def _server() -> socket.socket:
    """The other end of the server's socket; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as file:
        return file.read()


def _serve(connection: socket.socket) -> None:
    from trajstore.pipeline.__main__ import run
    from trajstore.pipeline.audit import repair  # noqa: F401
    from trajstore.pipeline.draw import run as plot  # noqa: F401
    from trajstore.pipeline.generation import generate  # noqa: F401
    from trajstore.pipeline.judge import evaluate  # noqa: F401
    from trajstore.pipeline.learn import train  # noqa: F401

    # What is shared with each child is left alone there.
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 2)
        if not request:
            return
        child = os.fork()
        if not child:
            break
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    connection.close()
    for descriptor, standard in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    signal.alarm(PATIENCE)
    arguments, file_limit, plain = json.loads(request)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    if plain:
        drop_privileges()
    sys.argv = ["trajstore", *arguments]
    run()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
