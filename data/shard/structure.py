"""Does an open HDF5 file have the structure of a shard? Used on writing, on opening and by `verify`."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.errors import AGAIN, FormatError
from ..base.hashing import canonical_json
from ..base.shortage import shortage
from ..remote.opening import bring_ends, content_elsewhere, is_here, open_bytes, read_elsewhere, shown
from .chunks import Chunks
from .limits import (
    JSON_CONTROL,
    MAX_COUNT,
    MAX_TEXT_BYTES,
    RefusedError,
    attribute,
    check_declared,
    plain_text,
    regular_size,
)
from .schema import (
    ATTRIBUTES,
    DIMENSIONS,
    FORMAT,
    KNOWN_VARIABLES,
    OPTIONAL_VARIABLES,
    PARAMETER_ROLE,
    SHARD_NAME,
    SPLITS,
    SYSTEM_STATE,
    VERSION,
    Variable,
    variables_with,
)

ROWS = DIMENSIONS[0]
# What h5py raises when the HDF5 library meets bytes that make no sense.
DAMAGE = (OSError, RuntimeError, KeyError, UnicodeError, OverflowError, SystemError)
# And where it makes NumPy's types and arrays of them.
MISFIT = (*DAMAGE, TypeError, ValueError, MemoryError, AttributeError)
# Names are read in blocks of about so many bytes, should each be as long as the file.
NAMES_BLOCK_BYTES = 64 << 20


@contextmanager
def open_shard(path: Path) -> Iterator[h5py.File]:
    """A file, open for reading, that has the structure of a shard and is harmless to read (see `limits`).

    Raises FormatError with the first problem found, and for whatever cannot be read while it is open: the
    HDF5 library reports a damaged file in many ways. Raises ShortageError if the system has no file descriptor or no
    memory for it.
    """
    where, content = shown(path), content_elsewhere(path)
    try:
        size = regular_size(path)
        file = _open_hdf5(path)
    except FileNotFoundError:
        raise FormatError(
            f"no such file; expected a trajstore HDF5 file{_where_it_was(path)}", where
        ) from None
    except PermissionError:
        raise FormatError("permission denied; expected a file that you may read", where) from None
    except MISFIT as error:
        _raise_shortage(error)
        raise FormatError(_unread(path, error), where) from None
    try:
        with file:
            try:
                check_declared(file, size)
                problem = next(structure_problems(file), None)
            except MISFIT as error:
                _raise_shortage(error)
                raise _damaged(where, error) from None
            if problem is not None:
                raise FormatError(problem, where)
            if content is not None and attribute(file, "content_hash") != content:
                raise FormatError(
                    "holds other numbers than the manifest says: it was changed since; ask who shares it",
                    where,
                )
            yield file
    except RefusedError as error:
        raise FormatError(str(error), where) from None
    except DAMAGE as error:
        _raise_shortage(error)
        raise _damaged(where, error) from None


def _unread(path: Path, error: BaseException) -> str:
    """What a file is that is no HDF5, or HDF5 that cannot be opened."""
    if h5py.is_hdf5(path):
        return f"cannot be read as HDF5 ({error}); the file is truncated or damaged. {AGAIN}"
    if path.suffix == ".toml":
        return f"is a config; expected a dataset. `trajstore generate {path} --out DIR` makes one"
    return f"is no HDF5 file; expected a shard, or the folder of a dataset. A shard is damaged then. {AGAIN}"


def _where_it_was(path: Path) -> str:
    """What to do about a shard that its folder lacks, as the end of a message."""
    if re.fullmatch(SHARD_NAME, path.name) is None or not path.parent.is_dir():
        return ""
    return (
        f". `trajstore verify {path.parent}` names all that the dataset lacks; `trajstore fetch` of it into "
        f"{path.parent} brings that alone"
    )


class _FileElsewhere(h5py.File):
    """Read through Python, by ranges; its name is the path that stands for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(open_bytes(path), "r")
        self._path = str(path)

    @property
    def filename(self) -> str:
        return self._path


def _open_hdf5(path: Path) -> h5py.File:
    if is_here(path):
        return h5py.File(path, "r", locking=False)
    bring_ends(path)
    return _FileElsewhere(path)


def _raise_shortage(error: Exception) -> None:
    """Where the system lacks something, nothing is said against the file; a file that asks for absurd memory is."""
    if not isinstance(error, MemoryError) and (short := shortage(error)):
        raise short from None


def _damaged(where: Path | str, error: Exception) -> FormatError:
    reason = str(error) or type(error).__name__
    return FormatError(f"is damaged: {reason}. {AGAIN}", where)


def structure_problems(file: h5py.File) -> Iterator[str]:
    """Yield a line for each way in which the file departs from the format."""
    found = attribute(file, "format")
    if found != FORMAT:
        yield f'no trajstore file: attribute "format" is {found!r:.80}, expected "{FORMAT}"'
        return
    version = attribute(file, "format_version")
    if version != VERSION:
        yield f"format version {version!s:.80}, but this trajstore reads version {VERSION}; upgrade trajstore"
        return
    for known_attribute in ATTRIBUTES.values():
        value = attribute(file, known_attribute.name)
        if type(value) is not known_attribute.kind:
            yield (
                f"attribute {known_attribute.name!r} is {value!r:.80}, expected {known_attribute.kind.__name__}"
            )

    first = attribute(file, "first_row")
    if isinstance(first, int) and not 0 <= first <= MAX_COUNT:
        yield f"attribute 'first_row' is {first}, expected 0 to {MAX_COUNT}"

    split = attribute(file, "split")
    if isinstance(split, str) and split not in SPLITS:
        yield f"attribute 'split' is {split!r:.80}, expected {', '.join(SPLITS)}"

    sizes: dict[str, int] = {}
    schema = variables_with(optional_names(file), parameter_names(file))
    for variable in schema.values():
        yield from _variable_problems(file, variable, sizes)
    for dimension in ("time", "component", SYSTEM_STATE):
        if sizes.get(dimension) == 0:
            yield f"variable {dimension!r} is empty, expected at least one entry"
    for name in file:
        if name not in schema:
            yield f'unknown variable {name!r}; parameters carry the attribute role = "{PARAMETER_ROLE}"'


def parameter_names(file: h5py.File) -> list[str]:
    """Names of the variables that hold parameters, in alphabetical order."""
    others = [name for name in file if name not in KNOWN_VARIABLES]
    items = {str(name): file.get(name) for name in others}
    return [
        name
        for name, item in items.items()
        if isinstance(item, h5py.Dataset) and attribute(item, "role") == PARAMETER_ROLE
    ]


def optional_names(file: h5py.File) -> list[str]:
    """Names of the optional variables that the file has."""
    return [name for name in OPTIONAL_VARIABLES if name in file]


def row_variables(file: h5py.File) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Of each variable that has a value a row, the dtype and the shape of such a value, by name."""
    schema = variables_with(optional_names(file), parameter_names(file))
    of_rows = {name: variable(file, name) for name, known in schema.items() if known.dimensions[0] == ROWS}
    return {name: (item.dtype.name, item.shape[1:]) for name, item in of_rows.items()}


def variable(file: h5py.File, name: str) -> h5py.Dataset:
    """A variable of a file. Raises FormatError if the file has none of that name."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FormatError(f"no variable {name!r}; it has {', '.join(file)}", file.filename)
    return item


def values(file: h5py.File, name: str) -> np.ndarray:
    """All values of a numeric variable, in the machine's byte order. Raises FormatError if they are damaged."""
    dataset = variable(file, name)
    try:
        if dataset.chunks:
            return Chunks.of(Path(file.filename), dataset).rows(0, len(dataset))
        read = _read_far(Path(file.filename), dataset)
        read = np.asarray(dataset[()]) if read is None else read
        return read.astype(read.dtype.newbyteorder("="), copy=False)
    except MemoryError:
        raise FormatError(
            f"there is no memory for the {dataset.nbytes} bytes of {name!r}", file.filename
        ) from None


def _read_far(path: Path, dataset: h5py.Dataset) -> np.ndarray | None:
    """The values of a variable elsewhere, past HDF5, which lets only one thread wait at a time; None of one here."""
    offset = None if is_here(path) else dataset.id.get_offset()
    if offset is None:
        return None
    return np.frombuffer(read_elsewhere(path, offset, offset + dataset.nbytes), dataset.dtype).reshape(
        dataset.shape
    )


def declared_bytes(path: Path) -> int:
    """Bytes of all values of a shard, unpacked. Raises FormatError if the file is none."""
    with open_shard(path) as file:
        return sum(item.nbytes for item in file.values() if isinstance(item, h5py.Dataset))


def names_of(file: h5py.File, name: str) -> tuple[str, ...]:
    """The entries of a variable of names. Raises FormatError if they are too long, or no UTF-8."""
    dataset = variable(file, name)
    block = max(1, NAMES_BLOCK_BYTES // (1 + regular_size(Path(file.filename))))
    names: list[str] = []
    left = MAX_TEXT_BYTES
    for first in range(0, len(dataset), block):
        for entry in dataset[first : first + block]:
            left -= len(entry)
            if left < 0:
                raise RefusedError(f"the names in {name!r} have more than {MAX_TEXT_BYTES} bytes")
            names.append(plain_text(entry, f"a name in {name!r}"))
    return tuple(names)


def _variable_problems(file: h5py.File, variable: Variable, sizes: dict[str, int]) -> Iterator[str]:
    dataset = file.get(variable.name)
    if not isinstance(dataset, h5py.Dataset):
        yield f"variable {variable.name!r} is missing"
        return
    text = h5py.check_string_dtype(dataset.dtype) is not None
    dtype = "string" if text else dataset.dtype.name
    if dtype not in variable.dtypes:
        yield f"variable {variable.name!r} has dtype {dtype:.80}, expected {' or '.join(variable.dtypes)}"
    elif not (text or h5py.h5t.py_create(dataset.dtype).equal(dataset.id.get_type())):
        yield f"variable {variable.name!r} has a number format of its own, expected IEEE 754 or two's complement"
    if dataset.ndim != len(variable.dimensions):
        yield f"variable {variable.name!r} has shape {dataset.shape}, expected {variable.dimensions}"
        return
    for dimension, size in zip(variable.dimensions, dataset.shape, strict=True):
        if sizes.setdefault(dimension, size) != size:
            yield f"variable {variable.name!r}: {dimension} has {size} entries, elsewhere {sizes[dimension]}"


def json_attribute(attributes: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """An attribute that holds a JSON object. Raises FormatError if it holds none."""
    try:
        value = json.loads(str(attributes[name]))
        # Neither NaN nor half a surrogate pair may hide in it, nor what a terminal would obey.
        text = canonical_json(value)
        text.encode()
    except (ValueError, RecursionError):
        value, text = None, ""
    if not isinstance(value, dict) or JSON_CONTROL.search(text):
        raise FormatError(f"attribute {name!r} is no JSON object, or holds control characters", path)
    return value
