"""What every section of a config shares."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..data.errors import TrajstoreError

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class ConfigError(TrajstoreError):
    """A config that cannot be read: names the key, what it got and what it takes."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
