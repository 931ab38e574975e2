"""Settings of the step ingest."""

from __future__ import annotations

import dataclasses
import enum

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.recipe import Recipe


class SplitMethod(enum.StrEnum):
    """Method to split rows into train, valid and test."""

    #: By time over the whole log: the last rows are test, those before them valid; a time is never divided.
    TIME = "time"
    #: By time for each user: the last share of the user's rows is test, that before it valid.
    PER_USER = "per_user"
    #: By time for each user: the last k rows of the user are test, the k before them valid.
    LAST_PER_USER = "last_per_user"
    #: The last sessions are test, those before them valid; a session is never divided.
    SESSION = "session"
    #: Rows at random.
    RANDOM = "random"
    #: Users at random.
    RANDOM_USER = "random_user"
    #: As a column says.
    COLUMN = "column"
    #: As the files are named: train, valid and test.
    GIVEN = "given"

    @classmethod
    def _missing_(cls, value: object) -> SplitMethod:
        known = ", ".join(method.value for method in cls)
        raise ConfigError("split cannot be used", expected=known, got=repr(value))


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """Settings of the ingest step.

    Args:
        dataset: `synthetic`, `ml-100k`, `ml-1m`, or the path of a MovieLens release or of files with its columns; used
            if there is no recipe, with the columns of MovieLens.
        recipe: The recipe; None for that of `dataset`.
        split: Split method, a `SplitMethod` or its value; None for the recipe's, as for the
            following settings, or by time without a recipe.
        valid_fraction: Share of the rows in valid, or the number of each user's for `last_per_user`.
        test_fraction: The same of test.
        seed: Seed of synthetic data, of random splits and of negatives.
        synthetic_rows: Number of rows of the synthetic data set.
        cache_dir: Folder of downloaded archives; None or empty for `~/.cache/emrys`.
        history: Maximum length of the histories; if the recipe has none, of the column `history` of the user's items.
            0 for the recipe's.
    """

    dataset: str = "synthetic"
    recipe: Recipe | None = None
    split: SplitMethod | None = None
    valid_fraction: float | None = None
    test_fraction: float | None = None
    seed: int = 42
    synthetic_rows: int | None = None
    cache_dir: str | None = None
    history: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not (self.dataset or self.recipe):
            raise ConfigError("dataset cannot be used", expected="a name or a path", got=repr(self.dataset))
        if self.split is not None:
            object.__setattr__(self, "split", SplitMethod(self.split))
        for name in ("valid_fraction", "test_fraction"):
            self._check_share(name)
        valid, test = self.valid_fraction or 0, self.test_fraction or 0
        if not self._counts_events and valid + test >= 1:
            raise ConfigError(
                "valid_fraction and test_fraction leave nothing for train",
                expected="a sum below 1",
                got=f"{self.valid_fraction} + {self.test_fraction}",
            )
        for name, least in (("seed", 0), ("synthetic_rows", 1), ("history", 0)):
            value = getattr(self, name)
            if value is None and name == "synthetic_rows":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"{name} cannot be used", expected=f"a whole number of at least {least}", got=repr(value)
                )

    @property
    def _counts_events(self) -> bool:
        """Whether the fractions may be numbers of events of each user."""
        return self.split is SplitMethod.LAST_PER_USER or (self.split is None and self.recipe is not None)

    def _check_share(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not (0 < value < 1 or (self._counts_events and value >= 1)):
            raise ConfigError(f"{name} cannot be used", expected="a number between 0 and 1", got=repr(value))
