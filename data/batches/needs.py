"""Does a split store what samples are made of?"""

from collections.abc import Collection

from ..base.errors import DataError
from ..remote.opening import shown
from ..shard.schema import CLEAN_STATE
from ..tasks.task import Task
from .split import Store

# What may be learned, and the variable that has it.
TARGETS = {"observed": "state", "clean": CLEAN_STATE}


def check_stored(store: Store, task: Task, target: str, computed: Collection[str]) -> None:
    """Raises DataError if it lacks the variable of the targets, or one that the task needs and nobody computes."""
    if target not in store.variables:
        raise DataError(
            f'{shown(store.path)}: target "clean" needs states without noise, and stores none; generate it with '
            "observation.clean = true"
        )
    for name in task.variables:
        if name not in store.variables and name not in computed:
            raise DataError(
                f"{shown(store.path)}: task {task} needs the variable {name!r}, and none is stored"
            )
