"""What happens after each epoch: the log, the checkpoint, the decision to stop."""

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


class Epochs(keras.callbacks.Callback):
    """Logs every epoch, keeps a checkpoint, and stops when no better epoch has come for a while.

    Keras' `EarlyStopping` and `BackupAndRestore` forget, when a run goes on, which epoch was best: together they would
    end with another model than an uninterrupted run. So both are done here.

    Args:
        monitor: Metric that decides: one that ends with `loss` is better when lower, others when higher.
        patience: Epochs without a better one after which training stops.
        total: Number of epochs at most.
        checkpoints: Where the state is kept.
        resumed: State to go on from.
        judged: Gives the model, while it is entered, the weights that it is judged and kept with.
        measure: Gives further metrics of the model as it is. Default: none.
    """

    def __init__(
        self,
        monitor: str,
        patience: int,
        total: int,
        checkpoints: Checkpoints,
        resumed: Checkpoint | None,
        judged: Callable[[], AbstractContextManager[None]],
        measure: Callable[[], dict[str, float]] | None = None,
    ) -> None:
        super().__init__()
        self._judged = judged
        self._measure = measure
        self._swapped = ExitStack()
        state: dict[str, Any] = resumed.state if resumed else {"history": [], "best": None, "best_epoch": 0, "wait": 0}
        self.history: list[dict[str, Any]] = list(state["history"])
        self.best: float | None = state["best"]
        self.best_epoch: int = state["best_epoch"]
        self.best_weights: Path | None = resumed.best_weights if resumed else None
        self.diverged = False
        self.batches = 0
        self._monitor = monitor
        self._patience = patience
        self._total = total
        self._wait: int = state["wait"]
        self._checkpoints = checkpoints
        self._shown = 0.0

    @property
    def next_epoch(self) -> int:
        """Number of epochs done."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.next_epoch >= self._total or self._wait >= self._patience

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows progress, about once a second."""
        if time.monotonic() - self._shown > 1:
            self._shown = time.monotonic()
            done = len(self.history) * self.batches + batch + 1
            emit(
                "train", "progress", done=done, total=self._total * self.batches, text=f"epoch {len(self.history) + 1}"
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights in place that the model is judged with."""
        self._swapped.enter_context(self._judged())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights back that training goes on with."""
        self._swapped.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs the epoch, keeps the state, stops when it is time."""
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        if self._measure is not None:
            with self._judged():
                numbers |= self._measure()
        if not all(math.isfinite(value) for value in numbers.values()):
            self.diverged = True
            self.model.stop_training = True
            return
        self.history.append({"epoch": epoch, **numbers})
        value = self._monitored(numbers)
        sign = -1 if self._monitor.endswith("loss") else 1
        better = self.best is None or sign * value > sign * self.best
        if better:
            self.best, self.best_epoch, self._wait = value, epoch, 0
        else:
            self._wait += 1
        state = {"history": self.history, "best": self.best, "best_epoch": self.best_epoch, "wait": self._wait}
        self.best_weights = self._checkpoints.keep(len(self.history), self.model, state, better, self._judged)
        emit(
            "train",
            "progress",
            done=len(self.history) * self.batches,
            total=self._total * self.batches,
            text=f"epoch {epoch + 1}: {self._monitor} {value:.4f}",
            metrics=numbers,
        )
        if self.finished:
            self.model.stop_training = True

    def _monitored(self, numbers: dict[str, float]) -> float:
        if self._monitor not in numbers:
            known = ", ".join(sorted(name for name in numbers if name.startswith("val_")))
            raise ConfigError("monitor", step="train", expected=f"one of {known}", got=self._monitor)
        return numbers[self._monitor]
