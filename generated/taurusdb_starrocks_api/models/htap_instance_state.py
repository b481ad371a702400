from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="HtapInstanceState")


@_attrs_define
class HtapInstanceState:
    """State of an instance.

    Attributes:
        instance_status (None | str | Unset): `normal` if the instance can be used.
    """

    instance_status: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        instance_status: None | str | Unset
        if isinstance(self.instance_status, Unset):
            instance_status = UNSET
        else:
            instance_status = self.instance_status

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if instance_status is not UNSET:
            field_dict["instance_status"] = instance_status

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_instance_status(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        instance_status = _parse_instance_status(d.pop("instance_status", UNSET))

        htap_instance_state = cls(
            instance_status=instance_status,
        )

        htap_instance_state.additional_properties = d
        return htap_instance_state

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
