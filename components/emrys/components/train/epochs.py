"""Callback for the end of each epoch: history, checkpoint and early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import keras

from emrys.blocks.errors import ConfigError
from emrys.components.events import emit
from emrys.components.train.checkpoints import Checkpoint, Checkpoints
from emrys.components.train.config import STEP, TrainConfig


class Epochs(keras.callbacks.Callback):
    """Callback that logs every epoch, writes checkpoints, and stops early.

    Keras' `EarlyStopping` and `BackupAndRestore` do not store which epoch was best, so that a resumed run would end
    with another model than an uninterrupted one.

    Args:
        config: Settings, of which `monitor`, `patience` and `epochs` are used.
        checkpoints: Checkpoints of the run.
        resumed: Checkpoint to resume from, or None.
        evaluation_weights: Context in which the model has the weights for evaluation.
        validation: Computes further metrics of the model. Default: none.
        report: Takes the number of an epoch and its metrics, after each. Default: none.
    """

    def __init__(
        self,
        config: TrainConfig,
        checkpoints: Checkpoints,
        resumed: Checkpoint | None,
        evaluation_weights: Callable[[], AbstractContextManager[None]],
        validation: Callable[[], dict[str, float]] | None = None,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self._evaluation_weights = evaluation_weights
        self._validation = validation
        self._report = report
        self._swapped = ExitStack()
        state: dict[str, Any] = resumed.state if resumed else {"history": [], "best": None, "best_epoch": 0, "wait": 0}
        self.history: list[dict[str, Any]] = list(state["history"])
        self.best: float | None = state["best"]
        self.best_epoch: int = state["best_epoch"]
        self.best_weights: Path | None = resumed.best_weights if resumed else None
        self.diverged = False
        self.batches = 0
        self._wait: int = state["wait"]
        self._checkpoints = checkpoints
        self._last_report = 0.0

    @property
    def next_epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether training is complete."""
        return self.next_epoch >= self._config.epochs or self._wait >= self._config.patience

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports progress about once a second."""
        if time.monotonic() - self._last_report > 1:
            self._last_report = time.monotonic()
            done = len(self.history) * self.batches + batch + 1
            emit(
                STEP,
                "progress",
                done=done,
                total=self._config.epochs * self.batches,
                text=f"epoch {len(self.history) + 1}",
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Swaps in the weights for evaluation."""
        self._swapped.enter_context(self._evaluation_weights())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restores the weights for training."""
        self._swapped.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the epoch to the history, writes a checkpoint, and stops if training is complete."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        if self._validation is not None:
            with self._evaluation_weights():
                numbers |= self._validation()
        if not all(math.isfinite(value) for value in numbers.values()):
            self.diverged = True
            self.model.stop_training = True
            return
        self.history.append({"epoch": epoch, **numbers})
        value = self._value_of(numbers)
        sign = -1 if self._config.lower_is_better else 1
        better = self.best is None or sign * value > sign * self.best
        if better:
            self.best, self.best_epoch, self._wait = value, epoch, 0
        else:
            self._wait += 1
        state = {"history": self.history, "best": self.best, "best_epoch": self.best_epoch, "wait": self._wait}
        self.best_weights = self._checkpoints.save(
            len(self.history), self.model, state, better, self._evaluation_weights
        )
        if self._report is not None:
            self._report(epoch, numbers)
        emit(
            STEP,
            "progress",
            done=len(self.history) * self.batches,
            total=self._config.epochs * self.batches,
            text=f"epoch {epoch + 1}: {self._config.monitor} {value:.4f}",
            metrics=numbers,
        )
        if self.finished:
            self.model.stop_training = True

    def _value_of(self, numbers: dict[str, float]) -> float:
        if self._config.monitor not in numbers:
            known = ", ".join(sorted(name for name in numbers if name.startswith("val_")))
            raise ConfigError("monitor", step=STEP, expected=f"one of {known}", got=self._config.monitor)
        return numbers[self._config.monitor]
