from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="TableCheck")


@_attrs_define
class TableCheck:
    """A table and its check result.

    Attributes:
        table_name (None | str | Unset): Name of the table.
        table_config (None | str | Unset): Configuration of the table.
        check_result (None | str | Unset): `success`, `fail` or `failed`.
    """

    table_name: None | str | Unset = UNSET
    table_config: None | str | Unset = UNSET
    check_result: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        table_name: None | str | Unset
        if isinstance(self.table_name, Unset):
            table_name = UNSET
        else:
            table_name = self.table_name

        table_config: None | str | Unset
        if isinstance(self.table_config, Unset):
            table_config = UNSET
        else:
            table_config = self.table_config

        check_result: None | str | Unset
        if isinstance(self.check_result, Unset):
            check_result = UNSET
        else:
            check_result = self.check_result

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if table_name is not UNSET:
            field_dict["table_name"] = table_name
        if table_config is not UNSET:
            field_dict["table_config"] = table_config
        if check_result is not UNSET:
            field_dict["check_result"] = check_result

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_table_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        table_name = _parse_table_name(d.pop("table_name", UNSET))

        def _parse_table_config(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        table_config = _parse_table_config(d.pop("table_config", UNSET))

        def _parse_check_result(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        check_result = _parse_check_result(d.pop("check_result", UNSET))

        table_check = cls(
            table_name=table_name,
            table_config=table_config,
            check_result=check_result,
        )

        table_check.additional_properties = d
        return table_check

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
