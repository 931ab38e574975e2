"""Inference of roles, types and units from the names and the first values of columns."""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.data_schema import TIME_UNITS, Role

#: Integers with at most so many values in the first rows are codes, with more they are amounts.
MAX_CODES = 32
#: Repeated rows of an id that must agree for a column to depend on it.
_EVIDENCE = 5
#: Fewer rows tell nothing about a column that differs in every row.
_ENOUGH_ROWS = 50
#: Mean length of free text.
_LONG_TEXT = 40
#: Names of ids, without a last `id`, most telling first.
_NAMES = {
    Role.USER_ID: (
        *("user", "u", "visitor", "customer", "client", "member", "reviewer", "subscriber", "account", "person"),
        *("buyer", "shopper", "listener", "viewer", "reader", "player", "patient", "student", "consumer", "cookie"),
    ),
    Role.ITEM_ID: (
        *("item", "i", "sku", "asin", "product", "film", "book", "isbn", "article", "song", "track", "video"),
        *(
            "game",
            "goods",
            "listing",
            "restaurant",
            "business",
            "hotel",
            "news",
            "post",
            "content",
            "podcast",
            "course",
        ),
        *("job", "show", "recipe", "app", "ad"),
    ),
    Role.SESSION_ID: ("session", "s", "sess", "visit", "basket", "cart"),
}
_TIMES = ("timestamp", "time", "ts", "datetime", "date")
_TARGETS = (
    *("label", "target", "y", "click", "clicked", "isclick", "purchase", "purchased", "buy", "bought", "conversion"),
    *("converted", "like", "liked", "ratings", "stars", "score", "finished", "response"),
)
_CODES = frozenset(
    {"id", "code", "zip", "zipcode", "postcode", "category", "type", "class", "hash", "index", "key", "brand"}
)
_ROW_IDS = frozenset({"id", "index", "rowid", "uuid", "key", "unnamed"})
#: Seconds since 1970 from which on a number counts as a time: some day of 1973.
_EARLIEST = 1e8
#: Seconds from 1970 to the year 3000.
LATEST = 32_503_680_000


class Kind(enum.StrEnum):
    """Kind of the values of a column."""

    INTEGER = "whole numbers"
    FLOAT = "numbers"
    DECIMAL = "decimal numbers"
    BOOLEAN = "booleans"
    TEXT = "texts"
    DATE = "dates"
    DATETIME = "date-times"
    LIST = "lists"
    NOTHING = "nulls"
    OTHER = "other values"


NUMBERS = (Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.BOOLEAN)


@dataclasses.dataclass(frozen=True)
class Profile:
    """Facts about a column in the first rows.

    Args:
        name: Name.
        kind: Kind of the values.
        type: Arrow type in the source.
        values: The values; dictionaries and extension types are decoded, NaN and empty texts are null.
        element: For lists: the kind of the elements.
        length: For lists of floats: the length if all have the same; otherwise None.
    """

    name: str
    kind: Kind
    type: pa.DataType
    values: pa.ChunkedArray
    element: Kind = Kind.NOTHING
    length: int | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def nulls(self) -> int:
        """Number of nulls."""
        return self.values.null_count

    @functools.cached_property
    def codes(self) -> npt.NDArray[np.int64]:
        """A number for each distinct value, by row; null is -1."""
        values = self.values.to_pandas()
        if self.kind in (Kind.LIST, Kind.OTHER):
            values = values.map(str)
        return np.asarray(pd.factorize(values)[0], np.int64)

    @functools.cached_property
    def distinct(self) -> int:
        """Number of distinct values."""
        return int(self.codes.max(initial=-1)) + 1

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        if self.kind is Kind.INTEGER:
            return True
        if self.kind not in (Kind.FLOAT, Kind.DECIMAL):
            return False
        numbers = self.numbers
        return bool(np.all(numbers == np.floor(numbers)) and np.all(np.abs(numbers) < 2**63))

    @functools.cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """The values as numbers, without nulls; none for other kinds."""
        if self.kind not in NUMBERS:
            return np.empty(0)
        values = self.values.drop_null()
        if self.kind is Kind.DECIMAL or self.kind is Kind.BOOLEAN:
            values = values.cast(pa.float64() if self.kind is Kind.DECIMAL else pa.int8())
        return values.to_numpy().astype(np.float64)

    @property
    def is_unsigned_beyond(self) -> bool:
        """Whether a value does not fit int64."""
        return pa.types.is_uint64(self.values.type) and bool((pc.max(self.values).as_py() or 0) >= 2**63)

    @property
    def can_be_key(self) -> bool:
        """Whether the values may be ids or codes: whole numbers or texts."""
        return self.kind in (Kind.INTEGER, Kind.TEXT) or (self.kind in (Kind.FLOAT, Kind.DECIMAL) and self.is_whole)

    def unique(self) -> list[Any]:
        """The distinct values, ascending."""
        return sorted(self.values.drop_null().unique().to_pylist())


def profiles_of(head: pa.Table) -> dict[str, Profile]:
    """Profiles of the columns of a table."""
    return {name: profile_of(name, head[name]) for name in head.column_names}


def profile_of(name: str, column: pa.ChunkedArray) -> Profile:
    """The profile of a column."""
    source = column.type
    if isinstance(source, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], source.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_float16(column.type):  # for which Arrow has hardly any function
        column = column.cast(pa.float32())
    kind = _kind(column.type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    elif kind is Kind.TEXT and not pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.string())
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if kind is not Kind.LIST:
        return Profile(name, kind, source, column)
    element = _kind(column.type.value_type)
    return Profile(name, kind, source, column, element, _vector_length(column, element))


def _kind(dtype: pa.DataType) -> Kind:
    checks = (
        (Kind.INTEGER, pa.types.is_integer),
        (Kind.FLOAT, pa.types.is_floating),
        (Kind.DECIMAL, pa.types.is_decimal),
        (Kind.BOOLEAN, pa.types.is_boolean),
        (Kind.TEXT, _is_text),
        (Kind.DATE, pa.types.is_date),
        (Kind.DATETIME, pa.types.is_timestamp),
        (Kind.LIST, _is_list),
        (Kind.NOTHING, pa.types.is_null),
    )
    return next((kind for kind, check in checks if check(dtype)), Kind.OTHER)


def _is_text(dtype: pa.DataType) -> bool:
    is_uuid = pa.types.is_fixed_size_binary(dtype) and dtype.byte_width == 16
    return is_uuid or any(
        check(dtype) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _is_list(dtype: pa.DataType) -> bool:
    return pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype)


def _vector_length(column: pa.ChunkedArray, element: Kind) -> int | None:
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size) if element in NUMBERS else None
    if element is not Kind.FLOAT:
        return None
    lengths = pc.list_value_length(column).drop_null().unique().to_pylist()
    return lengths[0] if len(lengths) == 1 and lengths[0] > 1 and len(column) > 1 else None


def infer_id(role: Role, profiles: Mapping[str, Profile]) -> tuple[str, str] | None:
    """The column that is an id by its name, and that can be one by its values; and the reason."""
    found = []
    others = []
    known = {word for role_words in _NAMES.values() for word in role_words}
    for name, profile in profiles.items():
        plain = "".join(_words(name))
        stem = plain.removesuffix("id")
        if not profile.can_be_key or (profile.rows > 1 and profile.distinct < 2):
            continue
        for rank, word in enumerate(_NAMES[role]):
            # A single letter tells only together with `id`.
            if stem == word and (len(word) > 1 or plain != stem):
                found.append((plain == stem, rank, name))
        if _words(name)[-1:] == ["id"] and stem and stem not in known and not is_row_id(profile):
            others.append((-profile.distinct, name))
    if found:
        return min(found)[2], "by its name"
    # Another id is that of the items, if it is alone.
    return (others[0][1], "the only other id") if role is Role.ITEM_ID and len(others) == 1 else None


def infer_time(profiles: Mapping[str, Profile]) -> tuple[str, str] | None:
    """The column that is the time, and the reason: its name and values, or that no other holds date-times."""
    found = []
    for place, (name, profile) in enumerate(profiles.items()):
        words = _words(name)
        is_named = "".join(words) in _TIMES or words[-1:] == ["at"] or (words and words[-1] in _TIMES)
        if is_named and is_time(profile):
            found.append(("".join(words) not in _TIMES, profile.kind is Kind.DATE, place, name))
    if found:
        return min(found)[3], "by its name and values"
    for kind, text in ((Kind.DATETIME, "date-times"), (Kind.DATE, "dates")):
        only = [name for name, profile in profiles.items() if profile.kind is kind]
        if len(only) == 1:
            return only[0], f"the only column of {text}"
    return None


def infer_target(profiles: Mapping[str, Profile]) -> str | None:
    """The column that is a target by its name, in the singular or the plural."""
    found = []
    for name, profile in profiles.items():
        plain = "".join(_words(name))
        ranks = [_TARGETS.index(word) for word in (plain, f"{plain}s") if word in _TARGETS]
        if ranks and profile.kind in NUMBERS:
            found.append((ranks[0], name))
    return min(found)[1] if found else None


def is_time(profile: Profile) -> bool:
    """Whether the values may be times."""
    if profile.kind in (Kind.DATE, Kind.DATETIME):
        return True
    if profile.kind is Kind.TEXT:
        return text_time_unit(profile) is not None
    numbers = profile.numbers
    return profile.kind is not Kind.BOOLEAN and bool(len(numbers)) and bool(np.min(numbers) >= _EARLIEST)


def text_time_unit(profile: Profile) -> str | None:
    """Unit of texts that are ISO dates or date-times; None for other texts."""
    texts = profile.values.drop_null()
    if not pa.types.is_string(texts.type) or not len(texts):
        return None
    for unit in ("s", "us"):
        for zone in (None, "UTC"):
            try:
                texts.cast(pa.timestamp(unit, zone))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
            return unit
    return None


def number_unit(profile: Profile) -> str:
    """Unit of numbers since 1970 by their size: the median lies before the year 5000."""
    numbers = np.abs(profile.numbers)
    middle = float(np.median(numbers)) if len(numbers) else 0.0
    return next((unit for unit in TIME_UNITS if middle / TIME_UNITS[unit] < 1e11), "ns")


def is_row_id(profile: Profile) -> bool:
    """Whether the values only tell rows apart: another one in every row."""
    if profile.rows < _ENOUGH_ROWS or profile.kind not in (Kind.INTEGER, Kind.TEXT):
        return False
    if profile.distinct + profile.nulls < profile.rows or profile.nulls:
        return False
    words = _words(profile.name)
    return profile.kind is Kind.TEXT or any(word in _ROW_IDS for word in words)


def is_free_text(profile: Profile) -> bool:
    """Whether the values are long texts that hardly repeat."""
    if profile.kind is not Kind.TEXT or not pa.types.is_string(profile.values.type):
        return False
    length = pc.mean(pc.utf8_length(profile.values)).as_py() or 0
    return bool(length >= _LONG_TEXT and profile.distinct > 0.5 * profile.rows)


def is_continuous(profile: Profile) -> tuple[bool, str]:
    """Whether the values are amounts, and the reason."""
    kind = profile.element if profile.kind is Kind.LIST else profile.kind
    if kind in (Kind.FLOAT, Kind.DECIMAL):
        return True, f"an amount, by its type {profile.type}"
    if kind is not Kind.INTEGER or profile.kind is Kind.LIST:
        return False, f"categorical, by its type {profile.type}"
    if any(word in _CODES for word in _words(profile.name)):
        return False, "categorical, by its name"
    if profile.distinct <= MAX_CODES:
        return False, f"categorical, with {profile.distinct} values"
    return True, f"an amount, with {profile.distinct} values"


def feature_role(profile: Profile, ids: Mapping[Role, Profile]) -> tuple[Role, str]:
    """Role of a feature, and the reason: whose it is, if it is the same in all rows of an id.

    Args:
        profile: Column of the feature.
        ids: Columns of the user id and the item id, as there are.
    """
    roles = {Role.ITEM_ID: Role.ITEM, Role.USER_ID: Role.USER}
    depending = {}
    if profile.distinct > 1:
        for role, of in ids.items():
            evidence = _evidence(profile, of)
            if role in roles and evidence >= _EVIDENCE:
                depending[role] = evidence
    if depending:
        best = max(depending, key=lambda role: depending[role])
        return roles[best], f"one value for each {ids[best].name}"
    first = _words(profile.name)[:1]
    for role, of in ids.items():
        if role in roles and first and first[0] in _NAMES[role] and len(first[0]) > 1 and _evidence(profile, of) >= 0:
            return roles[role], "by its name"
    return Role.CONTEXT, "it differs between rows of an id" if ids else "there is no id"


def _evidence(profile: Profile, of: Profile) -> int:
    """Number of rows that repeat an id, all with one value or null; -1 if an id has two values."""
    keys = of.codes
    known = (keys >= 0) & (profile.codes >= 0)
    pairs = np.unique(keys[known] * profile.distinct + profile.codes[known])
    ids = len(np.unique(keys[known]))
    return int(known.sum()) - ids if len(pairs) == ids else -1


def candidates_for_ids(profiles: Iterable[Profile]) -> list[str]:
    """Columns that could be ids, those with the most values first."""
    possible = [profile for profile in profiles if profile.can_be_key and profile.distinct > 1]
    return [profile.name for profile in sorted(possible, key=lambda profile: -profile.distinct)]


def _words(name: str) -> list[str]:
    """The words of a name in small letters: `reviewerID` and `reviewer_id` are `reviewer`, `id`."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
