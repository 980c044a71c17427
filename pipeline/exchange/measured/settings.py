"""What becomes of measured files: which variables are what, how rows are cut and split, and what is said of them."""

from dataclasses import dataclass, field

from ....data.base.arguments import one_of, positive, share, whole_number
from ....data.base.errors import DataError
from ....data.shard.schema import STATE_DTYPES
from ...config.plain_values import check_texts
from .measurements import Columns

SPLIT_BY = ("trajectory", "time")


@dataclass(frozen=True)
class Import:
    """What becomes of measured files.

    Attributes:
        length: Into pieces of how many points each trajectory is cut; None keeps trajectories whole.
        validation: Which share goes to the validation split: of the trajectories or, by time, of each trajectory.
        test: Which share goes to the test split.
        time_unit: The unit of the times; None is the one that the files state.
        resample: The interval between points of the dataset, interpolated; None takes the points of the files.
        by: "trajectory" deals whole trajectories to the splits; "time" gives the first pieces of each to train,
            the last to test.
    """

    columns: Columns = field(default_factory=Columns)
    name: str = "measured"
    length: int | None = None
    validation: float = 0.1
    test: float = 0.1
    by: str = "trajectory"
    seed: int = 0
    dtype: str | None = None
    time_unit: str | None = None
    resample: float | None = None
    title: str | None = None
    license: str = "unspecified"
    creator: str = "unspecified"


def check_settings(settings: Import) -> None:
    """Raises DataError or ConfigError for what is of another kind, or no use."""
    if not isinstance(settings, Import):
        raise DataError(f"settings are {settings!r:.80}; expected an Import, as in Import(Columns(time='t'))")
    one_of("by", settings.by, SPLIT_BY)
    if settings.dtype is not None:
        one_of("dtype", settings.dtype, STATE_DTYPES)
    for what in ("name", "title", "license", "creator", "time_unit"):
        value = getattr(settings, what)
        if not isinstance(value, str) and not (value is None and what in ("title", "time_unit")):
            raise DataError(f"{what} is {value!r:.80}; expected text")
        check_texts({what: value})
    if settings.time_unit is not None and not settings.time_unit.strip():
        raise DataError(f"time_unit is {settings.time_unit!r:.80}; expected a unit, as in 's', or 1 for none")
    if settings.length is not None:
        whole_number("length", settings.length, 2)
    if whole_number("seed", settings.seed, 0) >= 2**63:
        raise DataError(f"seed is {settings.seed}; expected a whole number below 2**63")
    if settings.resample is not None:
        positive("resample", settings.resample)
    if share("validation", settings.validation) + share("test", settings.test) >= 1:
        raise DataError(
            f"validation ({settings.validation:g}) and test ({settings.test:g}) leave nothing for train; expected "
            "shares that add up to less than 1"
        )
