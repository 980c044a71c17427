"""What every section of a config shares."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """Keys of a config with their types and defaults; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def known_keys(cls, raw: Any) -> list[str]:
        """Names of the keys that such a section may have, given what it has."""
        return list(cls.model_fields)
