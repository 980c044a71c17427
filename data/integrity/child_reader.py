"""Files of strangers, read in a process of its own: what crashes or hangs the HDF5 library is then a message.

The parent writes a request as a line of JSON, the child answers with a line of JSON: no pickle, so a child that was
taken over cannot take over its parent. The child lives on from file to file; one that dies is replaced.
"""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..base.errors import FormatError, TrajstoreError
from ..base.memory_limit import address_space
from ..base.shortage import ShortageError, limit_of, shortage
from .reader import Reader

# A file may take so long, and a second more for each so many bytes.
SECONDS = 60
BYTES_A_SECOND = 1_000_000
# But no file longer than this, whatever size it pretends to have.
MAX_SECONDS = 3600
# Beyond what the child needs to run, and four times what the file holds.
MEMORY_BYTES = 512 << 20
# Times what a file declares to hold: the values, those of them that are sound, and what is computed from them.
MEMORY_FACTOR = 4
COMMAND = (
    sys.executable,
    # The folder that one stands in may be the stranger's: nothing is imported from it.
    "-P",
    "-m",
    "trajstore.data.integrity.child_main",
)
READY = "ready"
ANSWER_CHARACTERS = 64 << 20


def shard_reader(isolated: bool) -> Reader:
    """Reads in a child process, or in this one."""
    return IsolatedReader() if isolated else Reader()


class IsolatedReader(Reader):
    """Does the tasks of `child_main` in a child process, with bounded time and memory.

    seconds, memory  what any file may take; more is granted in proportion to its size

    A context manager, at whose end the child ends.
    """

    def __init__(self, seconds: int = SECONDS, memory: int = MEMORY_BYTES) -> None:
        self._seconds, self._memory = seconds, memory
        self._child: subprocess.Popen[str] | None = None
        # Of address space, before any file; 0 until the child is ready.
        self._own = 0

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, task: str, path: Path, *arguments: Any) -> Any:
        """What a task gives for a file, as JSON gives it back.

        Raises FormatError if the file is refused, ends the child, or meets a mistake of ours; ShortageError if the
        system grants too little to tell; TrajstoreError if there is no child.
        """
        seconds = min(self._seconds + _size(path) // BYTES_A_SECOND, MAX_SECONDS)
        request = {"task": task, "path": str(path), "arguments": arguments}
        answer = self._exchange(json.dumps({**request, "seconds": seconds, "memory": self._memory}))
        if not answer:
            raise self._cause(path, seconds)
        found = json.loads(answer)
        if "short" in found:
            raise ShortageError(found["short"], found.get("needed"))
        if "refused" in found:
            raise FormatError(found["refused"], path)
        if "failed" in found:
            raise FormatError(
                f"trajstore fails on it ({found['failed']}): the file is damaged in a way that nobody thought of, "
                "or this is a mistake of trajstore",
                path,
            )
        return found["result"]

    def peak_bytes(self) -> int:
        """The most memory that the child has held so far; 0 where there is none, or no /proc."""
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text() if self._child else ""
        except OSError:
            return 0
        held = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(held[0]) * 1024 if held else 0

    def _exchange(self, request: str) -> str:
        """The answer to a request, or nothing if the child ended over it."""
        child = self._child or self.start()
        if not self._own:
            self._wait_for(child)
        requests, answers = _pipes(child)
        try:
            requests.write(request + "\n")
            requests.flush()
        except BrokenPipeError:
            return ""
        answer = answers.readline(ANSWER_CHARACTERS)
        return answer if answer.endswith("\n") else ""

    def start(self) -> subprocess.Popen[str]:
        """Let the child import what it needs, long before the first file perhaps."""
        # In a group of its own, so that Ctrl-C reaches the parent only, which then ends it.
        try:
            child = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                process_group=0,
                # Each thread that a library starts for arithmetic, which is not done there, takes address space.
                env=os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
            )
        except OSError as error:
            raise shortage(error) or error from None
        self._child, self._own = child, 0
        return child

    def _wait_for(self, child: subprocess.Popen[str]) -> None:
        if _pipes(child)[1].readline(ANSWER_CHARACTERS).strip() != READY:
            self._end()
            if limit_of("RLIMIT_AS") is not None:
                raise ShortageError(errno.ENOMEM)
            raise TrajstoreError(f"the process that reads files does not start: {' '.join(COMMAND)}")
        self._own = address_space(child.pid)

    def _cause(self, path: Path, seconds: int) -> TrajstoreError:
        """Why the child ended; its place is free for another one."""
        code = self._end()
        needed = self._own + self._memory + MEMORY_FACTOR * _size(path)
        limit = limit_of("RLIMIT_AS")
        if code == -signal.SIGALRM:
            why = f"reading it does not end within {seconds} s; the file is damaged, or made to hang"
        elif limit is not None and limit < needed:
            return ShortageError(errno.ENOMEM, needed)
        elif code == -signal.SIGKILL:
            why = "reading it was killed (signal 9); most likely the machine has no memory left for it"
        else:
            how = f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"
            why = f"the HDF5 library crashes on it ({how}); the file is damaged, or made to crash"
        return FormatError(why, path)

    def _end(self) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        child.kill()
        # What was never read of a request is still to be written when the pipe is closed.
        with suppress(BrokenPipeError), child:
            pass
        return child.returncode


def _pipes(child: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """For requests, and for answers."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child was started without pipes")
    return child.stdin, child.stdout


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
