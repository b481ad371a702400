from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.parameter_check import ParameterCheck


T = TypeVar("T", bound="SourceDatabase")


@_attrs_define
class SourceDatabase:
    """The source database and its parameters.

    Attributes:
        database_name (None | str | Unset): Name of the database in the TaurusDB instance.
        db_config_check_results (list[ParameterCheck] | None | Unset): Source parameters that were checked when the task
            was created.
        databaseName (None | str | Unset): Another spelling of `database_name`. Accept both.
        db_cfg_check_results (list[ParameterCheck] | None | Unset): Another spelling of `db_config_check_results`.
            Accept both.
    """

    database_name: None | str | Unset = UNSET
    db_config_check_results: list[ParameterCheck] | None | Unset = UNSET
    databaseName: None | str | Unset = UNSET
    db_cfg_check_results: list[ParameterCheck] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        database_name: None | str | Unset
        if isinstance(self.database_name, Unset):
            database_name = UNSET
        else:
            database_name = self.database_name

        db_config_check_results: list[dict[str, Any]] | None | Unset
        if isinstance(self.db_config_check_results, Unset):
            db_config_check_results = UNSET
        elif isinstance(self.db_config_check_results, list):
            db_config_check_results = []
            for (
                db_config_check_results_type_0_item_data
            ) in self.db_config_check_results:
                db_config_check_results_type_0_item = (
                    db_config_check_results_type_0_item_data.to_dict()
                )
                db_config_check_results.append(db_config_check_results_type_0_item)

        else:
            db_config_check_results = self.db_config_check_results

        databaseName: None | str | Unset
        if isinstance(self.databaseName, Unset):
            databaseName = UNSET
        else:
            databaseName = self.databaseName

        db_cfg_check_results: list[dict[str, Any]] | None | Unset
        if isinstance(self.db_cfg_check_results, Unset):
            db_cfg_check_results = UNSET
        elif isinstance(self.db_cfg_check_results, list):
            db_cfg_check_results = []
            for db_cfg_check_results_type_0_item_data in self.db_cfg_check_results:
                db_cfg_check_results_type_0_item = (
                    db_cfg_check_results_type_0_item_data.to_dict()
                )
                db_cfg_check_results.append(db_cfg_check_results_type_0_item)

        else:
            db_cfg_check_results = self.db_cfg_check_results

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if database_name is not UNSET:
            field_dict["database_name"] = database_name
        if db_config_check_results is not UNSET:
            field_dict["db_config_check_results"] = db_config_check_results
        if databaseName is not UNSET:
            field_dict["databaseName"] = databaseName
        if db_cfg_check_results is not UNSET:
            field_dict["dbCfgCheckResults"] = db_cfg_check_results

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.parameter_check import ParameterCheck  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_database_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        database_name = _parse_database_name(d.pop("database_name", UNSET))

        def _parse_db_config_check_results(
            data: object,
        ) -> list[ParameterCheck] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                db_config_check_results_type_0 = []
                _db_config_check_results_type_0 = data
                for (
                    db_config_check_results_type_0_item_data
                ) in _db_config_check_results_type_0:
                    db_config_check_results_type_0_item = ParameterCheck.from_dict(
                        db_config_check_results_type_0_item_data
                    )

                    db_config_check_results_type_0.append(
                        db_config_check_results_type_0_item
                    )

                return db_config_check_results_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[ParameterCheck] | None | Unset, data)

        db_config_check_results = _parse_db_config_check_results(
            d.pop("db_config_check_results", UNSET)
        )

        def _parse_databaseName(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        databaseName = _parse_databaseName(d.pop("databaseName", UNSET))

        def _parse_db_cfg_check_results(
            data: object,
        ) -> list[ParameterCheck] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                db_cfg_check_results_type_0 = []
                _db_cfg_check_results_type_0 = data
                for (
                    db_cfg_check_results_type_0_item_data
                ) in _db_cfg_check_results_type_0:
                    db_cfg_check_results_type_0_item = ParameterCheck.from_dict(
                        db_cfg_check_results_type_0_item_data
                    )

                    db_cfg_check_results_type_0.append(db_cfg_check_results_type_0_item)

                return db_cfg_check_results_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[ParameterCheck] | None | Unset, data)

        db_cfg_check_results = _parse_db_cfg_check_results(
            d.pop("dbCfgCheckResults", UNSET)
        )

        source_database = cls(
            database_name=database_name,
            db_config_check_results=db_config_check_results,
            databaseName=databaseName,
            db_cfg_check_results=db_cfg_check_results,
        )

        source_database.additional_properties = d
        return source_database

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
