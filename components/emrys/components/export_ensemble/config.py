"""Settings of the export step."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class ExportConfig:
    """How a model is exported and checked.

    Args:
        name: Name of the ensemble; its two models are `<name>_transform` and `<name>_model`.
        version: Version of the three models in the repository.
        max_batch_size: Most rows of a request, and of requests that the server puts together.
        instances: Processes that run the model, and as many that transform.
        preferred_batch_sizes: Batches that the server sends to the model without waiting for more.
        max_queue_delay: Microseconds that a request waits for others to share a batch with; 0 does not wait.
        threads: Threads that TensorFlow takes in each instance.
        parity_rows: Held-out rows that go through the ensemble and through the offline path; made rows with nulls,
            unseen values and empty lists come on top.
        tolerance: Largest difference of two scores.
        column_tolerance: Largest difference of two transformed numbers; ids must be equal.
        seed: Seed of the choice of held-out rows.
        require_server: Whether a missing Triton server fails the step; otherwise the same code is checked in process.
        start_timeout: Seconds until the server must be ready.
    """

    name: str = "ranking"
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
            raise self._wrong("name", "letters, digits, _ and -, a letter first", repr(self.name))
        for field in ("version", "max_batch_size", "instances", "threads", "parity_rows"):
            self._check_whole(field)
        for field in ("tolerance", "column_tolerance", "start_timeout"):
            value = getattr(self, field)
            if not value > 0:
                raise self._wrong(field, "more than 0", str(value))
        if self.max_queue_delay < 0:
            raise self._wrong("max_queue_delay", "0 or more microseconds", str(self.max_queue_delay))
        if any(not 1 <= size <= self.max_batch_size for size in self.preferred_batch_sizes):
            raise self._wrong(
                "preferred_batch_sizes", f"1 to max_batch_size ({self.max_batch_size})", str(self.preferred_batch_sizes)
            )

    def _check_whole(self, field: str) -> None:
        value = getattr(self, field)
        if value < 1:
            raise self._wrong(field, "at least 1", str(value))

    def _wrong(self, field: str, expected: str, got: str) -> ConfigError:
        return ConfigError(f"{type(self).__name__}.{field} cannot be so", expected=expected, got=got)
