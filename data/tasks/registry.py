"""Tasks by the name that a config gives them."""

from ..base.errors import DataError, TrajstoreError
from ..base.registry import Registry
from .task import Task

TASKS: Registry[Task] = Registry(
    "task",
    {"initial-value": "initial_value:InitialValue", "forecast": "forecast:Forecast"},
    package="trajstore.data.tasks",
    base="task:Task",
)


def get_task(task: str | Task) -> Task:
    """The task of that name, or that task. Raises DataError if there is none."""
    if isinstance(task, Task):
        return task
    try:
        return TASKS.find(str(task))()
    except TrajstoreError as error:
        raise DataError(str(error)) from None
