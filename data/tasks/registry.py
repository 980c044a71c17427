"""Tasks by the name that a config gives them."""

from typing import Any

from pydantic import ValidationError

from ..base.errors import DataError, TrajstoreError
from ..base.plain_words import first_mistake
from ..base.registry import Registry
from .task import Task

TASKS: Registry[Task] = Registry(
    "task",
    {
        "initial-value": "initial_value:InitialValue",
        "forecast": "forecast:Forecast",
        "observe": "observe:Observe",
        "vector-field": "vector_field:VectorField",
    },
    package="trajstore.data.tasks",
    base="task:Task",
)


def get_task(task: str | Task, **settings: Any) -> Task:
    """A task.

    Args:
        task: Its name, as in [task] of a config; or a task, which is given back.
        settings: The keys of [task] that are its own, as `inputs=["x"], targets=["y"]` of "observe".

    Raises:
        DataError: There is no such task, or it takes no such settings.
    """
    if isinstance(task, Task):
        return task
    try:
        kind = TASKS.find(str(task))
        return kind(**kind.Settings.model_validate(settings).model_dump())
    except ValidationError as error:
        raise DataError(
            f"task {task!r:.80}: {first_mistake(error, 'task')}; give its settings, as in get_task({task!r:.80}, "
            "key=value)"
        ) from None
    except TrajstoreError as error:
        raise DataError(str(error)) from None
