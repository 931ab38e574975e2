"""The split of a recipe: its method and sizes, and the faults that show in the first rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.components.contracts.data_schema import TIME_UNITS, DataSchema, Role
from emrys.components.recipe.contradictions import seconds_of
from emrys.components.recipe.faults import Fault
from emrys.components.recipe.inference import NUMBERS, Profile
from emrys.components.recipe.models import MODELS
from emrys.components.recipe.recipe import Recipe, Split

PARTS = ("train", "valid", "test")
#: Name of the target of a log of positives to which negatives are drawn.
POSITIVE = "positive"

_NEEDS = {
    "time": Role.TIME,
    "per_user": Role.USER_ID,
    "last_per_user": Role.USER_ID,
    "random_user": Role.USER_ID,
    "session": Role.SESSION_ID,
}


def split_of(recipe: Recipe, schema: DataSchema) -> Split:
    """The split of a recipe with its method and sizes: the one that it says, or what the columns allow.

    Sessions are split by session, retrieval by user, other logs by time, and those without a time at random.
    """
    split = recipe.split
    by = split.by
    if by is None:
        kind = MODELS.get(recipe.model.name)
        if kind is not None and kind.sessions and schema.session_id:
            by = "session"
        elif schema.time is None:
            by = "random"
        else:
            by = "per_user" if kind is not None and kind.task == "retrieval" and schema.user_id else "time"
    update: dict[str, Any] = {"by": by}
    if by == "last_per_user":
        update |= {name: 1 for name in ("valid", "test") if getattr(split, name) < 1}
    return split.model_copy(update=update)


def split_faults(
    recipe: Recipe, schema: DataSchema, profiles: Mapping[str, Profile], *, missing: frozenset[Role], whole: bool
) -> Iterator[Fault]:
    """Faults of the section `split`.

    Args:
        recipe: The recipe.
        schema: The data schema that it gives.
        profiles: Profiles of the source's columns.
        missing: Roles whose missing column is already reported.
        whole: Whether the profiles are those of all rows.
    """
    split = split_of(recipe, schema)
    role = _NEEDS.get(str(split.by))
    if role is not None and not schema.of_role(role) and role not in missing:
        fix = f"Name its column in columns.{role.value}, or choose another split, such as random."
        yield Fault("split.by", f"{split.by} needs the role {role.value}", "a column", "none", fix)
    if split.label_window and schema.time is None and Role.TIME not in missing:
        yield Fault("split.label_window", "a label window needs a time", fix="Name its column in columns.time.")
    if split.min_events > 1 and schema.user_id is None and Role.USER_ID not in missing:
        yield Fault("split.min_events", "only users have a number of events", fix="Name columns.user_id.")
    if split.negatives is not None:
        yield from _negatives_faults(recipe, schema, missing)
    if split.by == "column" and split.column in profiles:
        yield from _column_faults(split, profiles[split.column], whole)
    if whole:
        yield from _window_faults(split, schema, profiles)
        yield from _size_faults(split, schema, profiles)


def _negatives_faults(recipe: Recipe, schema: DataSchema, missing: frozenset[Role]) -> Iterator[Fault]:
    kind = MODELS.get(recipe.model.name)
    if schema.targets and schema.targets[0].name != POSITIVE:
        fix = "Remove split.negatives, or the targets."
        got = f"the target {schema.targets[0].name}"
        yield Fault("split.negatives", "negatives are for logs of positives alone", "no target", got, fix)
    elif kind is not None and kind.task == "retrieval":
        fix = "Remove split.negatives."
        yield Fault("split.negatives", "a retrieval model draws its own negatives", got=recipe.model.name, fix=fix)
    if schema.item_id is None and Role.ITEM_ID not in missing:
        yield Fault("split.negatives", "negatives need items", fix="Name columns.item_id.")


def _column_faults(split: Split, profile: Profile, whole: bool) -> Iterator[Fault]:
    there = {str(value) for value in profile.values.unique().to_pylist()}
    others = sorted(there.difference(PARTS))
    if others:
        got = ", ".join(others[:5])
        yield Fault("split.column", "a row is in no split", ", ".join(PARTS), f"{got} in {split.column!r}")
    for part in PARTS:
        if whole and not others and part not in there:
            yield Fault(
                "split.column", f"nothing is left for {part}", "rows of each split", f"none in {split.column!r}"
            )


def _window_faults(split: Split, schema: DataSchema, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    seconds = seconds_of(split.label_window)
    time = schema.time
    if seconds is None or time is None or time not in profiles:
        return
    span = _span(profiles[time], schema.column(time).unit)
    if span <= seconds:
        problem = "every event is too young for the window, so that nothing is left"
        yield Fault(
            "split.label_window", problem, f"a log longer than {split.label_window}", f"{span / 86_400:.3g} days"
        )


def _size_faults(split: Split, schema: DataSchema, profiles: Mapping[str, Profile]) -> Iterator[Fault]:
    """A split of all rows that leaves one of the three without any."""
    rows = max((profile.rows for profile in profiles.values()), default=0)
    user = profiles.get(schema.user_id or "")
    counts = np.empty(0, np.int64) if user is None else _counts(user)
    if len(counts) and split.min_events > 1:
        kept = counts[counts >= split.min_events]
        if not len(kept):
            got = f"{counts.max()} at most"
            yield Fault("split.min_events", "no user has so many events", str(split.min_events), got)
            return
        rows, counts = int(kept.sum()), kept
    if split.by == "last_per_user" and len(counts) and counts.max() <= split.valid + split.test:
        expected = f"a user with more than {split.valid + split.test:g} events"
        fix = "Split by time or at random."
        yield Fault("split.by", "nothing is left for valid and test", expected, f"{counts.max()} at most", fix)
    what = {"session": schema.session_id, "random_user": schema.user_id}.get(str(split.by))
    groups = profiles.get(what or "")
    if groups is not None:
        rows = groups.distinct
    if split.by in ("time", "random", "session", "random_user"):
        test, valid = (math.floor(rows * share + 0.5) for share in (split.test, split.valid))
        for part, number in (("train", rows - test - valid), ("valid", valid), ("test", test)):
            if number < 1:
                key = "split" if part == "train" else f"split.{part}"
                got = f"{rows:,} {'rows' if what is None else f'values of {what}'}"
                yield Fault(key, f"nothing is left for {part}", "a row at least", got, "Use more data or other shares.")


def _counts(profile: Profile) -> npt.NDArray[np.int64]:
    """Number of rows of each value."""
    return np.bincount(profile.codes[profile.codes >= 0])


def _span(profile: Profile, unit: str) -> float:
    """Seconds between the first and the last time."""
    numbers = profile.numbers
    if profile.kind not in NUMBERS:
        zone = getattr(profile.values.type, "tz", None)
        times = profile.values.drop_null().cast(pa.timestamp(unit, zone), safe=False)
        numbers = times.cast(pa.int64()).to_numpy().astype(np.float64)
    return float(np.ptp(numbers)) / TIME_UNITS[unit] if len(numbers) else 0.0
