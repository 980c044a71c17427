"""The store: a trajectory format on disk, its integrity, and a torch Dataset over it.

Names are looked up on first use, so that generating and verifying do not pay for importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import TrajectoryDataset as TrajectoryDataset
    from .errors import DataError as DataError
    from .errors import FormatError as FormatError
    from .errors import TrajstoreError as TrajstoreError
    from .finding import Finding as Finding
    from .finding import Findings as Findings
    from .loader import Loader as Loader
    from .loader import make_loader as make_loader
    from .manifest import Manifest as Manifest
    from .manifest import load_manifest as load_manifest
    from .normalize import Normalizer as Normalizer
    from .shard import Shard as Shard
    from .shard import read_shard as read_shard
    from .verification import examine as examine
    from .verification import verify as verify

_HOMES = {
    "TrajectoryDataset": "dataset",
    "DataError": "errors",
    "FormatError": "errors",
    "TrajstoreError": "errors",
    "Finding": "finding",
    "Findings": "finding",
    "Loader": "loader",
    "make_loader": "loader",
    "Manifest": "manifest",
    "load_manifest": "manifest",
    "Normalizer": "normalize",
    "Shard": "shard",
    "read_shard": "shard",
    "examine": "verification",
    "verify": "verification",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
