"""Settings of the step preprocess."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from emrys.blocks.errors import ConfigError

#: Names of internal columns of NVTabular.
_RESERVED = frozenset({"labels", "order", "__tmp__", "__fold__"})


@dataclass(frozen=True)
class PreprocessConfig:
    """Settings of the preprocess step; the defaults are those for a MovieLens-shaped log.

    Args:
        categorical: Columns of int64 or strings that become ids.
        categorical_lists: Columns of lists that become lists of ids.
        continuous: Columns of numbers that are filled and normalised.
        target_encoded: Columns that are encoded by the mean of `encoding_target`; the features,
            `TE_<column>_<target>`, are normalised.
        encoding_target: Target of the encodings.
        history: Column of lists of earlier items, which become lists of ids of `history_of`; empty for none.
        history_of: Categorical column whose keys the lists hold.
        target: Column to predict.
        extra_targets: Further columns that are copied unchanged.
        folds: Number of folds for the out-of-fold encodings of the train rows; 1 for none.
        fold_seed: Seed of the folds.
        smoothing: Weight of the overall mean in a target encoding, in rows.
        freq_threshold: Values in fewer train rows than this get the id of unseen values.
        max_size: Maximum number of ids of a column, including the reserved ones; None for no limit.
        fill: Replacement of missing numbers; None for the train mean of the column.
        rows_per_partition: Rows of a partition, rounded up to whole row groups; it limits the memory, and the folds
            depend on it.
    """

    categorical: tuple[str, ...] = ("userId", "movieId", "title", "gender", "age", "occupation", "zipcode")
    categorical_lists: tuple[str, ...] = ("genres",)
    continuous: tuple[str, ...] = ("release_year",)
    target_encoded: tuple[str, ...] = ("age", "gender", "occupation", "zipcode", "movieId", "userId")
    history: str = ""
    history_of: str = "movieId"
    encoding_target: str = "rating"
    target: str = "rating_binary"
    extra_targets: tuple[str, ...] = ("rating",)
    folds: int = 5
    fold_seed: int = 42
    smoothing: float = 5.0
    freq_threshold: int = 0
    max_size: int | None = None
    fill: float | None = None
    rows_per_partition: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("categorical", "categorical_lists", "continuous", "target_encoded", "extra_targets"):
            _check_names(name, getattr(self, name))
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON brings lists
        for name in ("encoding_target", "target"):
            _check_names(name, (getattr(self, name),))
        for name, least in (("folds", 1), ("fold_seed", 0), ("freq_threshold", 0), ("rows_per_partition", 1)):
            _check_whole(name, getattr(self, name), least)
        if self.max_size is not None:
            _check_whole("max_size", self.max_size, 4)
        _check_number("smoothing", self.smoothing)
        if self.smoothing < 0:
            raise ConfigError("smoothing cannot be used", expected="a number of at least 0", got=f"{self.smoothing!r}")
        if self.fill is not None:
            _check_number("fill", self.fill)
        self._check_overlaps()

    @property
    def targets(self) -> tuple[str, ...]:
        """Columns that are copied unchanged, in order."""
        return (self.target, *self.extra_targets)

    @property
    def features(self) -> tuple[str, ...]:
        """Distinct raw columns of the features."""
        return tuple(dict.fromkeys((*self.categorical, *self.lists, *self.continuous, *self.target_encoded)))

    @property
    def lists(self) -> tuple[str, ...]:
        """Raw columns with lists."""
        return (*self.categorical_lists, *((self.history,) if self.history else ()))

    def _check_overlaps(self) -> None:
        if self.history and self.history_of not in self.categorical:
            raise ConfigError(
                "history_of is no categorical column", column=self.history_of, expected=", ".join(self.categorical)
            )
        used = (*self.categorical, *self.lists, *self.continuous, *self.targets)
        for name in used:
            if used.count(name) > 1:
                raise ConfigError("a column is used twice", column=name, fix="Name it as one kind of column.")
        for name in self.target_encoded:
            if name in (*self.lists, *self.continuous, *self.targets, self.encoding_target):
                raise ConfigError(
                    "the column cannot be target-encoded", column=name, expected="a column of single keys"
                )
        if not self.features:
            raise ConfigError("the configuration names no feature")


def _check_names(argument: str, names: object) -> None:
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{argument} cannot be used", expected="names of columns", got=f"{names!r}")
    for name in names:
        if name in _RESERVED:
            raise ConfigError(f"{argument} holds a reserved name", column=name, fix="Rename the column.")
        if names.count(name) > 1:
            raise ConfigError(f"{argument} names a column twice", column=name)


def _check_whole(argument: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(
            f"{argument} cannot be used", expected=f"a whole number of at least {least}", got=f"{value!r}"
        )


def _check_number(argument: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"{argument} cannot be used", expected="a number", got=f"{value!r}")


#: Settings of the columns by task. A retrieval model has no target encodings, which would leak the label of a row into
#: its query and its item, and no titles, which duplicate the movie id.
_FEATURES: dict[str, dict[str, Any]] = {
    "ranking": {},
    "retrieval": {
        "categorical": ("userId", "movieId", "gender", "age", "occupation"),
        "target_encoded": (),
        "history": "history",
    },
}


def features_for(task: str, **settings: Any) -> PreprocessConfig:
    """Settings for the features of a task.

    Args:
        task: `ranking` or `retrieval`.
        **settings: Settings that replace the defaults.

    Raises:
        ConfigError: if there is no such task.
    """
    if task not in _FEATURES:
        raise ConfigError("features cannot be used", expected=", ".join(_FEATURES), got=repr(task))
    return PreprocessConfig(**{**_FEATURES[task], **settings})
