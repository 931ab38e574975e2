"""`ExamplesPerSecondCallback`: a callback that measures how many rows are trained per second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import keras


class MetricsLogger(Protocol):
    """Anything with `log`, such as a run of Weights & Biases."""

    def log(self, metrics: dict[str, float]) -> object:
        """Logs values by name."""


class ExamplesPerSecondCallback(keras.callbacks.Callback):
    """Logs the rows trained per second, now (`current_…`) and since the second batch (`average_examples_per_sec`).

    The first batch does not count, since its step is compiled.

    Args:
        batch_size: Rows of a batch.
        every_n_steps: Number of batches between two measurements. Default: 1.
        logger: Logger of the values, with `log(dictionary)`. Default: none.
        log_to_console: Whether the values go to Python's `logging`, level DEBUG. Default: False.
        clock: Function that returns seconds. Default: `time.perf_counter`.
    """

    def __init__(
        self,
        batch_size: int,
        every_n_steps: int = 1,
        logger: MetricsLogger | None = None,
        log_to_console: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._every_n_steps = every_n_steps
        self._logger = logger
        self._log_to_console = log_to_console
        self._clock = clock
        self._steps: int | None = None
        self._start = self._last = 0.0
        self._averages: list[float] = []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begins to measure."""
        self._steps, self._averages = None, []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Counts a batch, and logs the values after every n-th."""
        now = self._clock()
        if self._steps is None:
            self._steps, self._start, self._last = 0, now, now
            return
        self._steps += 1
        if self._steps % self._every_n_steps:
            return
        current = self._batch_size * self._every_n_steps / (now - self._last)
        average = self._batch_size * self._steps / (now - self._start)
        self._last = now
        if self._log_to_console:
            logging.getLogger(__name__).debug("step %d: %.2f examples/s, average %.2f", self._steps, current, average)
        if self._logger is not None:
            self._logger.log({"current_examples_per_sec": current, "average_examples_per_sec": average})

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Stores the average of this training."""
        self._averages.append(self.get_avg_examples_per_sec())

    def get_avg_examples_per_sec(self) -> float:
        """Returns the rows per second since the first batch; 0 before the second one."""
        return self._batch_size * self._steps / (self._clock() - self._start) if self._steps else 0.0

    def get_train_batches_mean_of_avg_examples_per_sec(self) -> float:
        """Returns the average of the training that has ended; 0 before."""
        return sum(self._averages) / len(self._averages) if self._averages else 0.0
