"""Sections whose `name` says whose code they are for, and with that which other keys they have."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from ...data.base.errors import TrajstoreError
from ...data.base.own_code import is_file
from ...data.base.registry import Registry
from ...data.base.section import Section
from .explain import explain
from .plain_values import ConfigError


class NamedSection(Section):
    """Keys `name` and those that what it names has; these are attributes, too.

    A user's own code ("file.py:Class", "package.module:Class") is not run to read a config: its keys are taken as
    they are, and checked by `settled` once its class is known. Of a file the SHA-256 is kept.
    """

    model_config = ConfigDict(extra="allow")
    registry: ClassVar[Registry[Any]]
    # Keys that are left out of what is stored and hashed where they have these values.
    unstated: ClassVar[dict[str, Any]] = {"sha256": None}

    name: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @classmethod
    def own_settings(cls, name: str) -> type[BaseModel] | None:
        """The keys beside `name`, of one of ours or of an installed package; None if they are not known yet."""
        known = name in cls.registry.names()
        return cls.registry.find(name).Settings if known else None

    @classmethod
    def known_keys(cls, raw: Any) -> list[str]:
        name = raw.get("name", cls.model_fields["name"].default) if isinstance(raw, Mapping) else None
        settings = cls.own_settings(name) if isinstance(name, str) else None
        own = list(settings.model_fields) if settings else []
        return [*(key for key in cls.model_fields if key != "sha256"), *own]

    @model_validator(mode="before")
    @classmethod
    def _with_settings(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        name = raw.get("name", cls.model_fields["name"].default)
        settings = cls.own_settings(name) if isinstance(name, str) else None
        if settings is None:
            return raw
        common = {key: value for key, value in raw.items() if key in cls.model_fields}
        own = {key: value for key, value in raw.items() if key not in cls.model_fields}
        return {**common, **settings.model_validate(own).model_dump()}

    @model_validator(mode="after")
    def _of_a_file(self) -> Self:
        if self.sha256 is not None and not is_file(self.name):
            raise ValueError(f"sha256 is for a file of your own, and {self.name} is none; leave it out")
        return self

    @field_validator("name")
    @classmethod
    def _there_is_one(cls, name: str) -> str:
        try:
            cls.registry.check(name)
        except TrajstoreError as error:
            raise ValueError(str(error)) from None
        return name

    @model_serializer(mode="wrap")
    def _without_unstated(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said = dump(self)
        return {key: said[key] for key in said if key not in self.unstated or said[key] != self.unstated[key]}

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of what is named."""
        return dict(self.model_extra or {})

    def settled(self, found: type[Any], key: str) -> Self:
        """The same with all settings of the class behind the name, which checks them and has their defaults.

        Raises ConfigError, which names the key under this section's, for one that it does not take.
        """
        try:
            settings = found.Settings.model_validate(self.settings)
        except ValidationError as error:
            raise ConfigError(explain(error, found.Settings, self.settings, key)) from None
        common = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_construct(**common, **settings.model_dump())
