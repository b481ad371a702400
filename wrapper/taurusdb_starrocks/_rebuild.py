"""How an object is built again in another process, from nothing but text."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import attrs

from taurusdb_starrocks._errors import ConfigurationError


@attrs.frozen
class Rebuild:
    """How to build an object again in another process. It may hold secrets, and shows none.

    Attributes:
        factory: What to call, as ``package.module:name``.
        arguments: Its keyword arguments: what JSON can hold, or a ``Rebuild``.
        lasting: Whether it works for as long as this object does: not with a token that ends.
    """

    factory: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    lasting: bool = True

    def build(self) -> Any:
        """The object.

        Raises:
            ConfigurationError: There is no such factory.
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
        """The same as a JSON document, secrets included: for a pipe, and for nothing else."""
        arguments = {
            name: {"rebuild": value.to_document()} if isinstance(value, Rebuild) else {"is": value}
            for name, value in self.arguments.items()
        }
        return {"factory": self.factory, "arguments": arguments, "lasting": self.lasting}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Rebuild:
        """What ``to_document`` was called on."""
        arguments = {
            name: cls.from_document(value["rebuild"]) if "rebuild" in value else value["is"]
            for name, value in document["arguments"].items()
        }
        return cls(document["factory"], arguments, document["lasting"])
