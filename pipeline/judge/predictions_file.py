"""Predictions as a program leaves them: an `.npz` file of numpy.savez, looked at before its numbers are read."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...data.base.files import reason
from ...data.batches.split import Store
from ..runs.files import RunError
from .supplied import check_predictions

NEEDED, KNOWN = "predictions", ("predictions", "rows", "first")
MEND = "write it with numpy.savez(FILE, predictions=..., rows=..., first=...)"


def read_predictions(path: Path, store: Store) -> dict[str, np.ndarray]:
    """Its arrays. Raises RunError if it is none, or has others, or its predictions are none of the split's rows."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {
                member.filename.removesuffix(".npy"): _header(archive, member)
                for member in archive.infolist()
            }
        _check_names(list(found))
        check_predictions(*found[NEEDED], store)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in found}
    except FileNotFoundError:
        raise RunError(f"{path}: no such file; {MEND}") from None
    except OSError as error:
        raise RunError(reason(error)) from None
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError) as error:
        raise RunError(f"{path}: is no .npz file that can be read ({error!s:.120}); {MEND}") from None


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"{member.filename} is of the version {version} of the format")
        shape, _, dtype = read[version](file)
    return shape, dtype


def _check_names(names: list[str]) -> None:
    if NEEDED not in names or not set(names) <= set(KNOWN):
        held = ", ".join(map(repr, names)) or "nothing"
        raise RunError(f"holds {held:.200}; expected 'predictions' and perhaps 'rows' and 'first'")
