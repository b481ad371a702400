from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="TableSelection")


@_attrs_define
class TableSelection:
    """Which tables are replicated.

    Attributes:
        repl_type (None | str | Unset): `include_tables` or `exclude_tables`.
        repl_scope (None | str | Unset): `all` or `part`.
        tables (list[str] | None | Unset): Names of the included or excluded tables.
    """

    repl_type: None | str | Unset = UNSET
    repl_scope: None | str | Unset = UNSET
    tables: list[str] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        repl_type: None | str | Unset
        if isinstance(self.repl_type, Unset):
            repl_type = UNSET
        else:
            repl_type = self.repl_type

        repl_scope: None | str | Unset
        if isinstance(self.repl_scope, Unset):
            repl_scope = UNSET
        else:
            repl_scope = self.repl_scope

        tables: list[str] | None | Unset
        if isinstance(self.tables, Unset):
            tables = UNSET
        elif isinstance(self.tables, list):
            tables = self.tables

        else:
            tables = self.tables

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if repl_type is not UNSET:
            field_dict["repl_type"] = repl_type
        if repl_scope is not UNSET:
            field_dict["repl_scope"] = repl_scope
        if tables is not UNSET:
            field_dict["tables"] = tables

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_repl_type(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        repl_type = _parse_repl_type(d.pop("repl_type", UNSET))

        def _parse_repl_scope(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        repl_scope = _parse_repl_scope(d.pop("repl_scope", UNSET))

        def _parse_tables(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                tables_type_0 = cast(list[str], data)

                return tables_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        tables = _parse_tables(d.pop("tables", UNSET))

        table_selection = cls(
            repl_type=repl_type,
            repl_scope=repl_scope,
            tables=tables,
        )

        table_selection.additional_properties = d
        return table_selection

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
