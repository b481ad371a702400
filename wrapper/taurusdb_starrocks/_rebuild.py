"""Create an object again in another process, from text."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import attrs

from taurusdb_starrocks._errors import ConfigurationError


@attrs.frozen
class Rebuild:
    """Instructions to create an object in another process. May contain secrets; never shows them.

    Attributes:
        factory: The callable, as ``package.module:name``.
        arguments: Its keyword arguments: JSON values or other ``Rebuild`` objects.
        lasting: True if the new object works as long as the original one. False if it has a token
            that expires.
    """

    factory: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    lasting: bool = True

    def build(self) -> Any:
        """Create the object.

        Raises:
            ConfigurationError: The factory does not exist.
        """
        module, _, name = self.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"{self.factory} cannot be imported: {type(error).__name__}."
            ) from error
        return factory(
            **{
                name: value.build() if isinstance(value, Rebuild) else value
                for name, value in self.arguments.items()
            }
        )

    def to_document(self) -> dict[str, Any]:
        """The instructions as a JSON document with all secrets. Send it only through a pipe."""
        arguments = {
            name: {"rebuild": value.to_document()} if isinstance(value, Rebuild) else {"is": value}
            for name, value in self.arguments.items()
        }
        return {"factory": self.factory, "arguments": arguments, "lasting": self.lasting}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Rebuild:
        """Read the instructions from the document of ``to_document``."""
        arguments = {
            name: cls.from_document(value["rebuild"]) if "rebuild" in value else value["is"]
            for name, value in document["arguments"].items()
        }
        return cls(document["factory"], arguments, document["lasting"])
