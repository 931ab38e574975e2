"""The data schema: columns, types, roles and targets of a log, which travels with the splits."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json

#: Name of its file in an artifact.
DATA_SCHEMA_FILE = "data_schema.json"

#: Types of the values in the splits. Other types of a source become one of them: booleans, dates and narrow integers
#: int64, decimals and float64 float32, UUIDs and unsigned integers above 2**63 string.
ValueType = Literal["int64", "float32", "string"]
_ARROW: dict[str, pa.DataType] = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string()}
#: Ticks per second of each unit of time.
TIME_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Role(enum.StrEnum):
    """Meaning of a column."""

    USER_ID = "user_id"
    ITEM_ID = "item_id"
    SESSION_ID = "session_id"
    TIME = "time"
    EVENT = "event"  # type of the event, such as view or buy; targets are made of it
    WEIGHT = "weight"  # weight of the row in training and evaluation
    USER = "user"  # feature of the user
    ITEM = "item"  # feature of the item
    CONTEXT = "context"  # feature of the event
    HISTORY = "history"  # list of values of the user's earlier events, made by ingest
    SOURCE = "source"  # a column that targets are made of; not a feature


class TargetKind(enum.StrEnum):
    """Kind of a target, which decides loss, metrics and baselines."""

    BINARY = "binary"
    REGRESSION = "regression"
    CLASSES = "classes"


@dataclasses.dataclass(frozen=True)
class DataColumn:
    """A raw column of the splits.

    Args:
        name: Name, as in the source and in requests.
        dtype: Type of the values, or of the elements of lists.
        role: Meaning.
        is_list: Whether a row holds a list.
        length: Length of every list, for vectors; None otherwise.
        unit: For a time: `s`, `ms`, `us` or `ns` since 1970, UTC.
        history_of: For a history: the column whose values it holds.
        max_length: For a history: maximum number of values.
        continuous: Whether the values are amounts; otherwise they are names or codes.
        difference_of: For a difference to the user's event before: the column whose values are compared.
    """

    name: str
    dtype: ValueType
    role: Role
    is_list: bool = False
    length: int | None = None
    unit: str = ""
    history_of: str = ""
    max_length: int | None = None
    continuous: bool = False
    difference_of: str = ""

    @property
    def arrow_type(self) -> pa.DataType:
        """Arrow type of the column in the splits."""
        return pa.list_(_ARROW[self.dtype]) if self.is_list else _ARROW[self.dtype]

    @property
    def required(self) -> bool:
        """Whether every row has a value."""
        return self.role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.TIME, Role.WEIGHT)


@dataclasses.dataclass(frozen=True)
class Target:
    """A column that a model predicts.

    Args:
        name: Name of its column in the splits: int8 0 or 1, float32, or int64 numbers of classes.
        kind: Kind.
        source: Column that it is made of, which is not a feature; empty for none.
        classes: Value of each class, by its number; empty for other kinds.
        weight: Weight in the loss of a model of several targets.
        sample_space: Target whose positive rows are the rows of this one; empty for all rows.
    """

    name: str
    kind: TargetKind
    source: str = ""
    classes: tuple[str | int, ...] = ()
    weight: float = 1.0
    sample_space: str = ""

    @property
    def arrow_type(self) -> pa.DataType:
        """Arrow type of the column in the splits."""
        return {
            TargetKind.BINARY: pa.int8(),
            TargetKind.REGRESSION: pa.float32(),
            TargetKind.CLASSES: pa.int64(),
        }[self.kind]


@dataclasses.dataclass(frozen=True)
class DataSchema:
    """Columns and targets of a log.

    Args:
        columns: Raw columns, in the order of the splits' files; the targets' columns follow them.
        targets: Targets; the first is the one that a model of a single target predicts. A log of implicit feedback has
            none: every row is a positive.
        unused: Columns of the source that are left out, with the reason.
        inferred: For each role, type or unit that was not said but inferred: `column` to the reason.
        negatives: Negatives that were drawn for each positive row; 0 for none. Scores are calibrated back by it.
    """

    columns: tuple[DataColumn, ...]
    targets: tuple[Target, ...] = ()
    unused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inferred: Mapping[str, str] = dataclasses.field(default_factory=dict)
    negatives: int = 0

    def __post_init__(self) -> None:
        names = [*self.names, *(target.name for target in self.targets)]
        for name in names:
            if names.count(name) > 1:
                raise ArtifactError("the data schema has two columns of a name", column=name)
        for role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.TIME, Role.EVENT, Role.WEIGHT):
            if len(self.of_role(role)) > 1:
                raise ArtifactError(f"the data schema has two columns of the role {role.value}", column=role.value)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the raw columns."""
        return tuple(column.name for column in self.columns)

    @property
    def is_implicit(self) -> bool:
        """Whether every row is a positive."""
        return not self.targets

    @property
    def user_id(self) -> str | None:
        """Column of the user id, or None."""
        return self._single(Role.USER_ID)

    @property
    def item_id(self) -> str | None:
        """Column of the item id, or None."""
        return self._single(Role.ITEM_ID)

    @property
    def session_id(self) -> str | None:
        """Column of the session id, or None."""
        return self._single(Role.SESSION_ID)

    @property
    def time(self) -> str | None:
        """Column of the time, or None."""
        return self._single(Role.TIME)

    @property
    def time_units(self) -> dict[str, str]:
        """Unit of each column of times, by name."""
        return {column.name: column.unit for column in self.columns if column.unit}

    @property
    def weight(self) -> str | None:
        """Column of the row weights, or None."""
        return self._single(Role.WEIGHT)

    @property
    def event_columns(self) -> tuple[str, ...]:
        """Columns that identify an event: ids, time, event type and sources of targets, as there are."""
        roles = (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.TIME, Role.EVENT, Role.SOURCE)
        return tuple(column.name for column in self.columns if column.role in roles)

    @property
    def features(self) -> tuple[DataColumn, ...]:
        """Columns that a model may read: ids, features and histories."""
        roles = (Role.USER_ID, Role.ITEM_ID, Role.USER, Role.ITEM, Role.CONTEXT, Role.HISTORY)
        return tuple(column for column in self.columns if column.role in roles)

    def of_role(self, *roles: Role) -> tuple[str, ...]:
        """Names of the columns with one of the roles."""
        return tuple(column.name for column in self.columns if column.role in roles)

    def column(self, name: str) -> DataColumn:
        """The raw column of a name.

        Raises:
            ArtifactError: if there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ArtifactError("the data schema has no such column", column=name, got=", ".join(self.names))

    def target(self, name: str) -> Target:
        """The target of a name.

        Raises:
            ArtifactError: if there is none.
        """
        for target in self.targets:
            if target.name == name:
                return target
        known = ", ".join(target.name for target in self.targets) or "none"
        raise ArtifactError("the data schema has no such target", column=name, got=known)

    @property
    def arrow(self) -> pa.Schema:
        """Arrow schema of the splits' files: raw columns, then targets."""
        fields = [pa.field(column.name, column.arrow_type) for column in self.columns]
        return pa.schema([*fields, *(pa.field(target.name, target.arrow_type) for target in self.targets)])

    def to_json(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Restores a schema from `to_json`.

        Raises:
            ArtifactError: if the content is not a data schema.
        """
        try:
            columns = tuple(DataColumn(**{**each, "role": Role(each["role"])}) for each in content["columns"])
            targets = tuple(
                Target(**{**each, "kind": TargetKind(each["kind"]), "classes": tuple(each["classes"])})
                for each in content["targets"]
            )
            return cls(columns, targets, content["unused"], content["inferred"], content["negatives"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"not a data schema ({error})") from None

    def write(self, folder: Path) -> None:
        """Writes `data_schema.json` into a folder."""
        write_json(folder / DATA_SCHEMA_FILE, self.to_json())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads `data_schema.json` of a folder.

        Raises:
            ArtifactError: if it is missing or damaged.
        """
        try:
            return cls.from_json(read_json(folder / DATA_SCHEMA_FILE))
        except ArtifactError as error:
            error.path = str(folder / DATA_SCHEMA_FILE)
            raise

    def _single(self, role: Role) -> str | None:
        names = self.of_role(role)
        return names[0] if names else None
