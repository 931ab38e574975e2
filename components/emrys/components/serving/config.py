"""Settings of an exported ensemble that every export shares."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class EnsembleConfig:
    """Settings for writing a model repository and checking it against the offline path.

    Args:
        name: Name of the ensemble; its two models are `<name>_transform` and `<name>_model`.
        version: Version of the three models in the repository. Default: 1.
        max_batch_size: Largest number of rows in a request, and in a batch that the server forms. Default: 1024.
        instances: Number of processes that run the model, and of processes that transform. Default: 1.
        preferred_batch_sizes: Batch sizes that the server sends to the model at once. Default: 64, 256, 1024.
        max_queue_delay: Microseconds that a request may wait for others to share a batch; 0 does not wait.
            Default: 100.
        threads: Threads that TensorFlow uses in each instance. Default: 1.
        parity_rows: Held-out rows that the parity check sends, besides edge cases with nulls, unseen values and empty
            lists. Default: 1000.
        tolerance: Largest allowed difference of two scores. Default: 1e-4.
        column_tolerance: Largest allowed difference of two transformed numbers; ids must be equal. Default: 1e-5.
        seed: Seed of the choice of held-out rows. Default: 0.
        require_server: Whether a missing Triton server fails the export; otherwise the same code is checked in
            process. Default: False.
        start_timeout: Seconds until the server must be ready. Default: 120.

    Raises:
        ConfigError: if a value is out of range.
    """

    name: str
    version: int = 1
    max_batch_size: int = 1024
    instances: int = 1
    preferred_batch_sizes: tuple[int, ...] = (64, 256, 1024)
    max_queue_delay: int = 100
    threads: int = 1
    parity_rows: int = 1000
    tolerance: float = 1e-4
    column_tolerance: float = 1e-5
    seed: int = 0
    require_server: bool = False
    start_timeout: float = 120.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", self.name):
            raise self._invalid("name", "letters, digits, _ and -, a letter first", repr(self.name))
        for field in ("version", "max_batch_size", "instances", "threads", "parity_rows"):
            self._check_positive(field)
        for field in ("tolerance", "column_tolerance", "start_timeout"):
            value = getattr(self, field)
            if not value > 0:
                raise self._invalid(field, "more than 0", str(value))
        if self.max_queue_delay < 0:
            raise self._invalid("max_queue_delay", "0 or more microseconds", str(self.max_queue_delay))
        if any(not 1 <= size <= self.max_batch_size for size in self.preferred_batch_sizes):
            raise self._invalid(
                "preferred_batch_sizes", f"1 to max_batch_size ({self.max_batch_size})", str(self.preferred_batch_sizes)
            )

    def _check_positive(self, field: str) -> None:
        value = getattr(self, field)
        if value < 1:
            raise self._invalid(field, "at least 1", str(value))

    def _invalid(self, field: str, expected: str, got: str) -> ConfigError:
        return ConfigError(f"{type(self).__name__}.{field} is out of range", expected=expected, got=got)
