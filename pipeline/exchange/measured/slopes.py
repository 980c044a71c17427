"""Which columns or arrays of a measured file are dx/dt of the components."""

from collections.abc import Mapping
from pathlib import Path

from ....data.base.errors import DataError
from ....data.base.suggestions import listed


def columns_of_slopes(path: Path, derivatives: Mapping[str, str], components: Mapping[str, str]) -> list[str]:
    """Names in the file, in the order of the components; none where there are no slopes.

    Args:
        path: The file, for messages.
        derivatives: Name of a component -> name in the file of its derivative.
        components: New name -> name in the file.

    Raises:
        DataError: Not each component has one, or one of something else is named.
    """
    if not derivatives:
        return []
    if set(derivatives) != set(components):
        example = ",".join(f"{name}=d{name}" for name in list(components)[:3])
        raise DataError(
            f"{path}: --derivatives names those of {listed(derivatives)}; expected one of each component, "
            f"{listed(components)}, as in --derivatives {example}"
        )
    return [derivatives[name] for name in components]
