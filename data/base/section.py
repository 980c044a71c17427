"""What the models of files and configs have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Record(BaseModel):
    """What a file of ours keeps: never changed, and without a key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Record):
    """A part of a config, where a text is no number, and every number is finite."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    @classmethod
    def known_keys(cls, raw: Any) -> list[str]:
        """Names of the keys that such a section may have, given what it has."""
        return list(cls.model_fields)
