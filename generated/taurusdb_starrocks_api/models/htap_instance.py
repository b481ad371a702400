from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.htap_instance_state import HtapInstanceState
    from ..models.instance_action import InstanceAction


T = TypeVar("T", bound="HtapInstance")


@_attrs_define
class HtapInstance:
    """A StarRocks or ClickHouse instance.

    Attributes:
        id (None | str | Unset): ID of the instance. It ends in `in17` for StarRocks.
        name (None | str | Unset): Name of the instance.
        engine_name (None | str | Unset): `star-rocks` for StarRocks.
        engine_version (None | str | Unset): Version of the engine.
        project_id (None | str | Unset): ID of the project of the instance.
        instance_state (HtapInstanceState | None | Unset): State of the instance.
        is_frozen (bool | None | str | Unset): Whether the instance is frozen.
        current_actions (list[InstanceAction] | None | Unset): Operations in progress on the instance.
    """

    id: None | str | Unset = UNSET
    name: None | str | Unset = UNSET
    engine_name: None | str | Unset = UNSET
    engine_version: None | str | Unset = UNSET
    project_id: None | str | Unset = UNSET
    instance_state: HtapInstanceState | None | Unset = UNSET
    is_frozen: bool | None | str | Unset = UNSET
    current_actions: list[InstanceAction] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.htap_instance_state import HtapInstanceState  # noqa: PLC0415

        id: None | str | Unset
        if isinstance(self.id, Unset):
            id = UNSET
        else:
            id = self.id

        name: None | str | Unset
        if isinstance(self.name, Unset):
            name = UNSET
        else:
            name = self.name

        engine_name: None | str | Unset
        if isinstance(self.engine_name, Unset):
            engine_name = UNSET
        else:
            engine_name = self.engine_name

        engine_version: None | str | Unset
        if isinstance(self.engine_version, Unset):
            engine_version = UNSET
        else:
            engine_version = self.engine_version

        project_id: None | str | Unset
        if isinstance(self.project_id, Unset):
            project_id = UNSET
        else:
            project_id = self.project_id

        instance_state: dict[str, Any] | None | Unset
        if isinstance(self.instance_state, Unset):
            instance_state = UNSET
        elif isinstance(self.instance_state, HtapInstanceState):
            instance_state = self.instance_state.to_dict()
        else:
            instance_state = self.instance_state

        is_frozen: bool | None | str | Unset
        if isinstance(self.is_frozen, Unset):
            is_frozen = UNSET
        else:
            is_frozen = self.is_frozen

        current_actions: list[dict[str, Any]] | None | Unset
        if isinstance(self.current_actions, Unset):
            current_actions = UNSET
        elif isinstance(self.current_actions, list):
            current_actions = []
            for current_actions_type_0_item_data in self.current_actions:
                current_actions_type_0_item = current_actions_type_0_item_data.to_dict()
                current_actions.append(current_actions_type_0_item)

        else:
            current_actions = self.current_actions

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if id is not UNSET:
            field_dict["id"] = id
        if name is not UNSET:
            field_dict["name"] = name
        if engine_name is not UNSET:
            field_dict["engine_name"] = engine_name
        if engine_version is not UNSET:
            field_dict["engine_version"] = engine_version
        if project_id is not UNSET:
            field_dict["project_id"] = project_id
        if instance_state is not UNSET:
            field_dict["instance_state"] = instance_state
        if is_frozen is not UNSET:
            field_dict["is_frozen"] = is_frozen
        if current_actions is not UNSET:
            field_dict["current_actions"] = current_actions

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.htap_instance_state import HtapInstanceState  # noqa: PLC0415
        from ..models.instance_action import InstanceAction  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        id = _parse_id(d.pop("id", UNSET))

        def _parse_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        name = _parse_name(d.pop("name", UNSET))

        def _parse_engine_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        engine_name = _parse_engine_name(d.pop("engine_name", UNSET))

        def _parse_engine_version(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        engine_version = _parse_engine_version(d.pop("engine_version", UNSET))

        def _parse_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        project_id = _parse_project_id(d.pop("project_id", UNSET))

        def _parse_instance_state(data: object) -> HtapInstanceState | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                instance_state_type_0 = HtapInstanceState.from_dict(data)

                return instance_state_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(HtapInstanceState | None | Unset, data)

        instance_state = _parse_instance_state(d.pop("instance_state", UNSET))

        def _parse_is_frozen(data: object) -> bool | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | str | Unset, data)

        is_frozen = _parse_is_frozen(d.pop("is_frozen", UNSET))

        def _parse_current_actions(data: object) -> list[InstanceAction] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                current_actions_type_0 = []
                _current_actions_type_0 = data
                for current_actions_type_0_item_data in _current_actions_type_0:
                    current_actions_type_0_item = InstanceAction.from_dict(
                        current_actions_type_0_item_data
                    )

                    current_actions_type_0.append(current_actions_type_0_item)

                return current_actions_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[InstanceAction] | None | Unset, data)

        current_actions = _parse_current_actions(d.pop("current_actions", UNSET))

        htap_instance = cls(
            id=id,
            name=name,
            engine_name=engine_name,
            engine_version=engine_version,
            project_id=project_id,
            instance_state=instance_state,
            is_frozen=is_frozen,
            current_actions=current_actions,
        )

        htap_instance.additional_properties = d
        return htap_instance

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
