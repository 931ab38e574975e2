"""Settings of the step ingest."""

from __future__ import annotations

import dataclasses
import enum

from emrys.blocks.errors import ConfigError

#: Names of built-in data sets. A name always stands for the same rows: downloads are checked against checksums.
DATASET_NAMES = ("synthetic", "ml-100k", "ml-1m")


class SplitMethod(enum.StrEnum):
    """Method to split rows into train, valid and test."""

    #: By time over the whole log: the last rows are test, those before them valid; a second is never divided.
    TIME = "time"
    #: At random.
    RANDOM = "random"
    #: By time for each user: the last rows of the user are test, those before them valid.
    PER_USER = "per_user"

    @classmethod
    def _missing_(cls, value: object) -> SplitMethod:
        known = ", ".join(method.value for method in cls)
        raise ConfigError("split cannot be used", expected=known, got=repr(value))


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """Settings of the ingest step.

    Args:
        dataset: `synthetic`, `ml-100k`, `ml-1m`, or a path: the zip archive or the folder of a MovieLens release, a
            Parquet file or a folder of Parquet files with the columns of `LOG_SCHEMA`. A folder that holds
            `train.parquet`, `valid.parquet` and `test.parquet` keeps that split.
        split: Split method, a `SplitMethod` or its value.
        valid_fraction: Share of the rows (for `per_user`, of each user) in valid.
        test_fraction: Share of the rows in test.
        seed: Seed of the synthetic data and of the random split.
        synthetic_rows: Number of rows of the synthetic data set.
        cache_dir: Folder of downloaded archives; None or empty for `~/.cache/emrys`.
        history: Maximum length of the lists in the column `history`, see `with_histories`; 0 for no such column.
    """

    dataset: str = "synthetic"
    split: SplitMethod = SplitMethod.TIME
    valid_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 42
    synthetic_rows: int = 60_000
    cache_dir: str | None = None
    history: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not self.dataset:
            raise ConfigError("dataset cannot be used", expected="a name or a path", got=repr(self.dataset))
        object.__setattr__(self, "split", SplitMethod(self.split))
        for name in ("valid_fraction", "test_fraction"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
                raise ConfigError(f"{name} cannot be used", expected="a number between 0 and 1", got=repr(value))
        if self.valid_fraction + self.test_fraction >= 1:
            raise ConfigError(
                "valid_fraction and test_fraction leave nothing for train",
                expected="a sum below 1",
                got=f"{self.valid_fraction} + {self.test_fraction}",
            )
        for name, least in (("seed", 0), ("synthetic_rows", 1), ("history", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"{name} cannot be used", expected=f"a whole number of at least {least}", got=repr(value)
                )
