"""Code of a user's own that a config names: where it lies, whether it may run, and how it is imported."""

import sys
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import TrajstoreError

# No file that a person wrote is longer.
MAX_BYTES = 4 << 20


class UntrustedCodeError(TrajstoreError):
    """Code that would have to run to go on, and that nobody has said may run."""


@dataclass(frozen=True)
class OwnCode:
    """What is known of the code behind names such as "mine.py:Net" and "package.module:Net".

    Attributes:
        folder: Where files are looked for.
        sha256: Of the file, as it is known to have been; None takes it as it is.
        trusted: Whether it may run.
        copied: Whether the folder has copies, each called after its file and hash.
    """

    folder: Path = Path()
    sha256: str | None = None
    trusted: bool = False
    copied: bool = False

    def file(self, name: str) -> Path:
        """The file of "file.py:Class"."""
        path = Path(name.rpartition(":")[0])
        if self.copied:
            # Two files of different folders may be called the same.
            return self.folder / (f"{path.stem}-{self.sha256[:8]}.py" if self.sha256 else path.name)
        return self.folder / path

    def read(self, name: str) -> bytes:
        """The text of the file of "file.py:Class". Raises TrajstoreError if there is none, or not the known one."""
        path = self.file(name)
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise TrajstoreError(
                f"{name}: {path} cannot be read ({error.strerror}); the file is looked for beside the config"
            ) from None
        if len(text) > MAX_BYTES:
            raise TrajstoreError(f"{name}: {path} has more than {MAX_BYTES} bytes, and is no module")
        found = sha256(text).hexdigest()
        if self.sha256 not in (None, found):
            raise TrajstoreError(
                f"{name}: {path} has the SHA-256 {found}, expected {self.sha256}; was it edited since?"
            )
        return text

    def fingerprint(self, name: str) -> str:
        """The SHA-256 of the file of "file.py:Class". Raises TrajstoreError as `read`."""
        return sha256(self.read(name)).hexdigest()

    def load(self, name: str, kind: str) -> Any:
        """What a name stands for.

        Raises:
            UntrustedCodeError: It may not run.
            TrajstoreError: It cannot be found, or fails as it is imported.
        """
        if not self.trusted:
            raise UntrustedCodeError(
                f"{name}: is a {kind} of somebody's own, whose code would have to run. If you trust it, say so: "
                f"--trust-code (make TRUST=1), or in Python {kind}s={{{name!r}: CLASS}} or trust_code=True"
            )
        module, _, attribute = name.rpartition(":")
        found = self._module_of_file(name) if is_file(name) else _imported(module, name)
        if not hasattr(found, attribute):
            there = [
                key
                for key, value in vars(found).items()
                if callable(value) and getattr(value, "__module__", "") == found.__name__
            ]
            raise TrajstoreError(
                f"{name}: {module} has no {attribute!r}; it has {', '.join(there) or 'none of its own'}"
            )
        return getattr(found, attribute)

    def _module_of_file(self, name: str) -> ModuleType:
        path = self.file(name)
        text = self.read(name)
        # By its content, so that a file that was edited is another module, and the same one is imported once.
        known = f"trajstore_own_{sha256(text).hexdigest()[:16]}"
        if known in sys.modules:
            return sys.modules[known]
        module = ModuleType(known)
        module.__file__ = str(path)
        sys.modules[known] = module
        try:
            exec(compile(text, str(path), "exec"), vars(module))
        except BaseException as error:
            del sys.modules[known]
            if not isinstance(error, Exception):
                raise
            raise TrajstoreError(
                f"{name}: {_where(error, str(path))}{type(error).__name__}: {error}"
            ) from error
        return module


def is_file(name: str) -> bool:
    """Is it "file.py:Class"?"""
    return name.rpartition(":")[0].endswith(".py")


def _imported(module: str, name: str) -> ModuleType:
    try:
        return import_module(module)
    # Importing runs code, which can fail in any way.
    except Exception as error:
        raise TrajstoreError(
            f"{name}: {module} cannot be imported ({type(error).__name__}: {error})"
        ) from error


def _where(error: Exception, path: str) -> str:
    """'line N: ' of the last line in that file which the error came through."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f"line {line}: "
