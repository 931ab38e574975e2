"""Settings of the step preprocess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class PreprocessConfig:
    """Settings of the preprocess step. The recipe says which features there are; the other settings override it.

    Args:
        recipe: The recipe, as JSON values; empty for that of the data set.
        task: Task of the recipe of the data set, where `recipe` is empty: `ranking` or `retrieval`.
        folds: Number of folds for the out-of-fold encodings of the train rows, 1 for none; None as in the recipe.
        fold_seed: Seed of the folds.
        smoothing: Weight of the overall mean in a target encoding, in rows; None as in the recipe.
        freq_threshold: Values in fewer train rows than this get the id of unseen values; None as in the recipe.
        max_size: Maximum number of ids of a column, including the reserved ones; None as in the recipe.
        rows_per_partition: Rows of a partition, rounded up to whole row groups; it limits the memory, and the folds
            depend on it.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    task: Literal["ranking", "retrieval"] = "ranking"
    folds: int | None = None
    fold_seed: int = 42
    smoothing: float | None = None
    freq_threshold: int | None = None
    max_size: int | None = None
    rows_per_partition: int = 1_000_000

    def __post_init__(self) -> None:
        if self.task not in ("ranking", "retrieval"):
            raise ConfigError("task cannot be used", expected="ranking, retrieval", got=repr(self.task))
        if not isinstance(self.recipe, Mapping):
            raise ConfigError("recipe cannot be used", expected="a mapping", got=repr(self.recipe))
        for name, least in (
            ("folds", 1),
            ("fold_seed", 0),
            ("freq_threshold", 0),
            ("max_size", 4),
            ("rows_per_partition", 1),
        ):
            _check_whole(name, getattr(self, name), least, name not in ("fold_seed", "rows_per_partition"))
        value = self.smoothing
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise ConfigError("smoothing cannot be used", expected="a number of at least 0", got=f"{value!r}")


def _check_whole(argument: str, value: object, least: int, optional: bool) -> None:
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(
            f"{argument} cannot be used", expected=f"a whole number of at least {least}", got=f"{value!r}"
        )
