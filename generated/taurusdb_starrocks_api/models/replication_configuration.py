from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.source_database import SourceDatabase
    from ..models.table_check import TableCheck
    from ..models.table_selection import TableSelection


T = TypeVar("T", bound="ReplicationConfiguration")


@_attrs_define
class ReplicationConfiguration:
    """The configuration of a synchronization task and its last schema change error.

    Attributes:
        source_instance_id (None | str | Unset): ID of the source TaurusDB instance.
        source_node_id (None | str | Unset): ID of the source node of the TaurusDB instance.
        target_database_name (None | str | Unset): Target database, in the StarRocks instance.
        database_info (None | SourceDatabase | Unset): The source database and its parameters.
        table_infos (list[TableCheck] | None | Unset): The tables and their check results.
        table_repl_config (None | TableSelection | Unset): Which tables are replicated.
        new_table_repl_config (None | TableSelection | Unset): Which tables are replicated after a pending change of the
            selection takes effect.
        is_tables_change (bool | None | str | Unset): Whether the tables of the task have changed.
        last_error_of_alter_table (None | str | Unset): Why the last `ALTER TABLE` of the source could not be
            replicated. Empty if there was no such error.
    """

    source_instance_id: None | str | Unset = UNSET
    source_node_id: None | str | Unset = UNSET
    target_database_name: None | str | Unset = UNSET
    database_info: None | SourceDatabase | Unset = UNSET
    table_infos: list[TableCheck] | None | Unset = UNSET
    table_repl_config: None | TableSelection | Unset = UNSET
    new_table_repl_config: None | TableSelection | Unset = UNSET
    is_tables_change: bool | None | str | Unset = UNSET
    last_error_of_alter_table: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.source_database import SourceDatabase  # noqa: PLC0415
        from ..models.table_selection import TableSelection  # noqa: PLC0415

        source_instance_id: None | str | Unset
        if isinstance(self.source_instance_id, Unset):
            source_instance_id = UNSET
        else:
            source_instance_id = self.source_instance_id

        source_node_id: None | str | Unset
        if isinstance(self.source_node_id, Unset):
            source_node_id = UNSET
        else:
            source_node_id = self.source_node_id

        target_database_name: None | str | Unset
        if isinstance(self.target_database_name, Unset):
            target_database_name = UNSET
        else:
            target_database_name = self.target_database_name

        database_info: dict[str, Any] | None | Unset
        if isinstance(self.database_info, Unset):
            database_info = UNSET
        elif isinstance(self.database_info, SourceDatabase):
            database_info = self.database_info.to_dict()
        else:
            database_info = self.database_info

        table_infos: list[dict[str, Any]] | None | Unset
        if isinstance(self.table_infos, Unset):
            table_infos = UNSET
        elif isinstance(self.table_infos, list):
            table_infos = []
            for table_infos_type_0_item_data in self.table_infos:
                table_infos_type_0_item = table_infos_type_0_item_data.to_dict()
                table_infos.append(table_infos_type_0_item)

        else:
            table_infos = self.table_infos

        table_repl_config: dict[str, Any] | None | Unset
        if isinstance(self.table_repl_config, Unset):
            table_repl_config = UNSET
        elif isinstance(self.table_repl_config, TableSelection):
            table_repl_config = self.table_repl_config.to_dict()
        else:
            table_repl_config = self.table_repl_config

        new_table_repl_config: dict[str, Any] | None | Unset
        if isinstance(self.new_table_repl_config, Unset):
            new_table_repl_config = UNSET
        elif isinstance(self.new_table_repl_config, TableSelection):
            new_table_repl_config = self.new_table_repl_config.to_dict()
        else:
            new_table_repl_config = self.new_table_repl_config

        is_tables_change: bool | None | str | Unset
        if isinstance(self.is_tables_change, Unset):
            is_tables_change = UNSET
        else:
            is_tables_change = self.is_tables_change

        last_error_of_alter_table: None | str | Unset
        if isinstance(self.last_error_of_alter_table, Unset):
            last_error_of_alter_table = UNSET
        else:
            last_error_of_alter_table = self.last_error_of_alter_table

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if source_instance_id is not UNSET:
            field_dict["source_instance_id"] = source_instance_id
        if source_node_id is not UNSET:
            field_dict["source_node_id"] = source_node_id
        if target_database_name is not UNSET:
            field_dict["target_database_name"] = target_database_name
        if database_info is not UNSET:
            field_dict["database_info"] = database_info
        if table_infos is not UNSET:
            field_dict["table_infos"] = table_infos
        if table_repl_config is not UNSET:
            field_dict["table_repl_config"] = table_repl_config
        if new_table_repl_config is not UNSET:
            field_dict["new_table_repl_config"] = new_table_repl_config
        if is_tables_change is not UNSET:
            field_dict["is_tables_change"] = is_tables_change
        if last_error_of_alter_table is not UNSET:
            field_dict["last_error_of_alter_table"] = last_error_of_alter_table

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.source_database import SourceDatabase  # noqa: PLC0415
        from ..models.table_check import TableCheck  # noqa: PLC0415
        from ..models.table_selection import TableSelection  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_source_instance_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        source_instance_id = _parse_source_instance_id(
            d.pop("source_instance_id", UNSET)
        )

        def _parse_source_node_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        source_node_id = _parse_source_node_id(d.pop("source_node_id", UNSET))

        def _parse_target_database_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        target_database_name = _parse_target_database_name(
            d.pop("target_database_name", UNSET)
        )

        def _parse_database_info(data: object) -> None | SourceDatabase | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                database_info_type_0 = SourceDatabase.from_dict(data)

                return database_info_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SourceDatabase | Unset, data)

        database_info = _parse_database_info(d.pop("database_info", UNSET))

        def _parse_table_infos(data: object) -> list[TableCheck] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                table_infos_type_0 = []
                _table_infos_type_0 = data
                for table_infos_type_0_item_data in _table_infos_type_0:
                    table_infos_type_0_item = TableCheck.from_dict(
                        table_infos_type_0_item_data
                    )

                    table_infos_type_0.append(table_infos_type_0_item)

                return table_infos_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[TableCheck] | None | Unset, data)

        table_infos = _parse_table_infos(d.pop("table_infos", UNSET))

        def _parse_table_repl_config(data: object) -> None | TableSelection | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                table_repl_config_type_0 = TableSelection.from_dict(data)

                return table_repl_config_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TableSelection | Unset, data)

        table_repl_config = _parse_table_repl_config(d.pop("table_repl_config", UNSET))

        def _parse_new_table_repl_config(data: object) -> None | TableSelection | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                new_table_repl_config_type_0 = TableSelection.from_dict(data)

                return new_table_repl_config_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TableSelection | Unset, data)

        new_table_repl_config = _parse_new_table_repl_config(
            d.pop("new_table_repl_config", UNSET)
        )

        def _parse_is_tables_change(data: object) -> bool | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | str | Unset, data)

        is_tables_change = _parse_is_tables_change(d.pop("is_tables_change", UNSET))

        def _parse_last_error_of_alter_table(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        last_error_of_alter_table = _parse_last_error_of_alter_table(
            d.pop("last_error_of_alter_table", UNSET)
        )

        replication_configuration = cls(
            source_instance_id=source_instance_id,
            source_node_id=source_node_id,
            target_database_name=target_database_name,
            database_info=database_info,
            table_infos=table_infos,
            table_repl_config=table_repl_config,
            new_table_repl_config=new_table_repl_config,
            is_tables_change=is_tables_change,
            last_error_of_alter_table=last_error_of_alter_table,
        )

        replication_configuration.additional_properties = d
        return replication_configuration

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
