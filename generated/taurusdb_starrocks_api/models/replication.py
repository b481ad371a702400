from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="Replication")


@_attrs_define
class Replication:
    """A synchronization task and its progress.

    Attributes:
        source_database (None | str | Unset): Source database, in the TaurusDB instance.
        target_database (None | str | Unset): Target database, in the StarRocks instance.
        task_name (None | str | Unset): Name of the task.
        status (None | str | Unset): `Yes` if the task is normal, `No` if it is not. `Wait` and an empty string also
            occur.
        stage (None | str | Unset): Stage of the task: `wait`, `full`, `incremental`, `paused`, or `cancelled`.
            Lowercase in Huawei Cloud's table of fields, capitalized in its example and in live responses. Other values are
            possible.
        percentage (float | None | str | Unset): Progress of the stage, in percent.
        catchup_stage (float | None | str | Unset): Stage of the catch-up.
        catchup_percentage (float | None | str | Unset): Progress of the catch-up, in percent.
        is_need_repair (bool | None | str | Unset): Whether the task needs a repair. Documented since 2026-01; can be
            missing.
        is_main_task (bool | None | str | Unset): Whether the task is a main task; a repair task is not. Documented
            since 2026-01; can be missing.
    """

    source_database: None | str | Unset = UNSET
    target_database: None | str | Unset = UNSET
    task_name: None | str | Unset = UNSET
    status: None | str | Unset = UNSET
    stage: None | str | Unset = UNSET
    percentage: float | None | str | Unset = UNSET
    catchup_stage: float | None | str | Unset = UNSET
    catchup_percentage: float | None | str | Unset = UNSET
    is_need_repair: bool | None | str | Unset = UNSET
    is_main_task: bool | None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        source_database: None | str | Unset
        if isinstance(self.source_database, Unset):
            source_database = UNSET
        else:
            source_database = self.source_database

        target_database: None | str | Unset
        if isinstance(self.target_database, Unset):
            target_database = UNSET
        else:
            target_database = self.target_database

        task_name: None | str | Unset
        if isinstance(self.task_name, Unset):
            task_name = UNSET
        else:
            task_name = self.task_name

        status: None | str | Unset
        if isinstance(self.status, Unset):
            status = UNSET
        else:
            status = self.status

        stage: None | str | Unset
        if isinstance(self.stage, Unset):
            stage = UNSET
        else:
            stage = self.stage

        percentage: float | None | str | Unset
        if isinstance(self.percentage, Unset):
            percentage = UNSET
        else:
            percentage = self.percentage

        catchup_stage: float | None | str | Unset
        if isinstance(self.catchup_stage, Unset):
            catchup_stage = UNSET
        else:
            catchup_stage = self.catchup_stage

        catchup_percentage: float | None | str | Unset
        if isinstance(self.catchup_percentage, Unset):
            catchup_percentage = UNSET
        else:
            catchup_percentage = self.catchup_percentage

        is_need_repair: bool | None | str | Unset
        if isinstance(self.is_need_repair, Unset):
            is_need_repair = UNSET
        else:
            is_need_repair = self.is_need_repair

        is_main_task: bool | None | str | Unset
        if isinstance(self.is_main_task, Unset):
            is_main_task = UNSET
        else:
            is_main_task = self.is_main_task

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if source_database is not UNSET:
            field_dict["source_database"] = source_database
        if target_database is not UNSET:
            field_dict["target_database"] = target_database
        if task_name is not UNSET:
            field_dict["task_name"] = task_name
        if status is not UNSET:
            field_dict["status"] = status
        if stage is not UNSET:
            field_dict["stage"] = stage
        if percentage is not UNSET:
            field_dict["percentage"] = percentage
        if catchup_stage is not UNSET:
            field_dict["catchup_stage"] = catchup_stage
        if catchup_percentage is not UNSET:
            field_dict["catchup_percentage"] = catchup_percentage
        if is_need_repair is not UNSET:
            field_dict["is_need_repair"] = is_need_repair
        if is_main_task is not UNSET:
            field_dict["is_main_task"] = is_main_task

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_source_database(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        source_database = _parse_source_database(d.pop("source_database", UNSET))

        def _parse_target_database(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        target_database = _parse_target_database(d.pop("target_database", UNSET))

        def _parse_task_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        task_name = _parse_task_name(d.pop("task_name", UNSET))

        def _parse_status(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        status = _parse_status(d.pop("status", UNSET))

        def _parse_stage(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        stage = _parse_stage(d.pop("stage", UNSET))

        def _parse_percentage(data: object) -> float | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | str | Unset, data)

        percentage = _parse_percentage(d.pop("percentage", UNSET))

        def _parse_catchup_stage(data: object) -> float | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | str | Unset, data)

        catchup_stage = _parse_catchup_stage(d.pop("catchup_stage", UNSET))

        def _parse_catchup_percentage(data: object) -> float | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | str | Unset, data)

        catchup_percentage = _parse_catchup_percentage(
            d.pop("catchup_percentage", UNSET)
        )

        def _parse_is_need_repair(data: object) -> bool | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | str | Unset, data)

        is_need_repair = _parse_is_need_repair(d.pop("is_need_repair", UNSET))

        def _parse_is_main_task(data: object) -> bool | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | str | Unset, data)

        is_main_task = _parse_is_main_task(d.pop("is_main_task", UNSET))

        replication = cls(
            source_database=source_database,
            target_database=target_database,
            task_name=task_name,
            status=status,
            stage=stage,
            percentage=percentage,
            catchup_stage=catchup_stage,
            catchup_percentage=catchup_percentage,
            is_need_repair=is_need_repair,
            is_main_task=is_main_task,
        )

        replication.additional_properties = d
        return replication

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
