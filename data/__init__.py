"""The store: a trajectory format on disk, its integrity, and a torch Dataset over it.

Names are looked up on first use, so that generating and verifying do not pay for importing torch.
"""

from typing import TYPE_CHECKING

from .base.face import face

if TYPE_CHECKING:
    from .base.errors import DataError as DataError
    from .base.errors import FormatError as FormatError
    from .base.errors import TrajstoreError as TrajstoreError
    from .base.findings import Finding as Finding
    from .base.findings import Findings as Findings
    from .batches.dataset import TrajectoryDataset as TrajectoryDataset
    from .batches.loader import Loader as Loader
    from .batches.loader import make_loader as make_loader
    from .batches.normalize import Normalizer as Normalizer
    from .folder.manifest import Manifest as Manifest
    from .folder.manifest_reading import load_manifest as load_manifest
    from .integrity.verify import examine as examine
    from .integrity.verify import verify as verify
    from .shard.schema import Status as Status
    from .shard.shard import Shard as Shard
    from .shard.shard import read_shard as read_shard
    from .shard.shard import write_shard as write_shard
    from .tasks.registry import get_task as get_task
    from .tasks.task import Task as Task

_HOMES = {
    "DataError": "base.errors",
    "FormatError": "base.errors",
    "TrajstoreError": "base.errors",
    "Finding": "base.findings",
    "Findings": "base.findings",
    "TrajectoryDataset": "batches.dataset",
    "Loader": "batches.loader",
    "make_loader": "batches.loader",
    "Normalizer": "batches.normalize",
    "Manifest": "folder.manifest",
    "load_manifest": "folder.manifest_reading",
    "Task": "tasks.task",
    "get_task": "tasks.registry",
    "examine": "integrity.verify",
    "verify": "integrity.verify",
    "Status": "shard.schema",
    "Shard": "shard.shard",
    "read_shard": "shard.shard",
    "write_shard": "shard.shard",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = face(__name__, _HOMES)
