from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ParameterCheck")


@_attrs_define
class ParameterCheck:
    """A source parameter and its check result.

    Attributes:
        param_name (None | str | Unset): Name of the parameter. `binlog_expire_logs_seconds` is the binlog retention
            period, in seconds.
        value (float | None | str | Unset): Value of the parameter.
        check_result (None | str | Unset): `success`, `fail` or `failed`.
    """

    param_name: None | str | Unset = UNSET
    value: float | None | str | Unset = UNSET
    check_result: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        param_name: None | str | Unset
        if isinstance(self.param_name, Unset):
            param_name = UNSET
        else:
            param_name = self.param_name

        value: float | None | str | Unset
        if isinstance(self.value, Unset):
            value = UNSET
        else:
            value = self.value

        check_result: None | str | Unset
        if isinstance(self.check_result, Unset):
            check_result = UNSET
        else:
            check_result = self.check_result

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if param_name is not UNSET:
            field_dict["param_name"] = param_name
        if value is not UNSET:
            field_dict["value"] = value
        if check_result is not UNSET:
            field_dict["check_result"] = check_result

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_param_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        param_name = _parse_param_name(d.pop("param_name", UNSET))

        def _parse_value(data: object) -> float | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | str | Unset, data)

        value = _parse_value(d.pop("value", UNSET))

        def _parse_check_result(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        check_result = _parse_check_result(d.pop("check_result", UNSET))

        parameter_check = cls(
            param_name=param_name,
            value=value,
            check_result=check_result,
        )

        parameter_check.additional_properties = d
        return parameter_check

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
