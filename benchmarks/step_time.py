"""Time of a training step against the number of rows in all embedding tables.

Run: python -m benchmarks.step_time [--rows 10000 10000000] [--batch-size 1024]

26 tables with 16 values a row, one dense layer, one binary target. Ids are drawn by popularity, as they come in logs:
the n-th id with a chance of 1 / n. With `--ids even` all have the same chance; nearly every row of a large table then
comes from main memory, in any order, which a processor's caches cannot help with. All sizes are measured in one run,
in turn, and the best is printed: on a machine that others use too, compare the ratios.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import blocks as mm

TABLES = 26
DIM = 16
BATCHES = 64
#: Optimizers as `compile` takes them; None is its default.
LAZY = {"default (LazyAdam)": None, "adagrad": "adagrad", "sgd": "sgd"}
DENSE = {"adam, dense": "adam"}


class Trained:
    """A model of one size with batches to train it on."""

    def __init__(self, rows: int, optimizer: Any, batch_size: int, even: bool = False) -> None:
        columns = [mm.create_categorical_column(f"C{number}", rows // TABLES - 1) for number in range(TABLES)]
        target = ColumnSchema("click", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
        schema = Schema([*columns, target])
        self.model = mm.Model(
            mm.Embeddings(Schema(columns), dim=DIM, aggregation="concat"), mm.MLPBlock([64]), mm.OutputBlock(schema)
        )
        self.model.compile(optimizer)
        draw = np.random.default_rng(0)
        size, count = rows // TABLES, (batch_size * BATCHES, 1)
        features = {each.name: _ids(draw, size, count, even) for each in columns}
        targets = {"click": draw.integers(0, 2, count).astype("float32")}
        self.data = tf.data.Dataset.from_tensor_slices((features, targets)).batch(batch_size).cache().repeat()
        self.seconds = float("inf")
        self.fit(3)

    def fit(self, steps: int) -> float:
        """Trains for some steps and gives the median of their seconds."""
        clock = StepClock()
        self.model.fit(self.data, steps_per_epoch=steps, verbose=0, callbacks=[clock])
        return float(np.median(clock.seconds))

    def measure(self, steps: int) -> None:
        """Keeps the best median so far."""
        self.seconds = min(self.seconds, self.fit(steps))


def _ids(draw: np.random.Generator, size: int, count: tuple[int, int], even: bool) -> np.ndarray:
    """Ids below `size`: log-uniform ones have chances of about 1 / n."""
    if even:
        return draw.integers(0, size, count)
    return np.floor(np.exp(draw.random(count) * np.log(size + 1))).astype("int64") - 1


class StepClock(keras.callbacks.Callback):
    """Seconds of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops it."""
        self.seconds.append(time.perf_counter() - self._start)


def best(optimizer: Any, sizes: list[int], batch_size: int, rounds: int, steps: int, even: bool = False) -> list[float]:
    """The best seconds a step for each size, taken in turn."""
    trained = [Trained(rows, optimizer, batch_size, even) for rows in sizes]
    for _ in range(rounds):
        for each in trained:
            each.measure(steps)
    found = [each.seconds for each in trained]
    del trained, each
    gc.collect()
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 10_000_000], help="rows in all tables")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps a round")
    parser.add_argument("--ids", choices=["popularity", "even"], default="popularity")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{TABLES} tables, {DIM} values a row, batches of {options.batch_size:,}, ids: {options.ids}, {cores} cores")
    print(f"{'rows in all tables':22}" + "".join(f"{rows:>14,}" for rows in options.rows))
    ways = [(name, way, options.rounds, options.steps) for name, way in LAZY.items()]
    ways += [(name, way, 1, 3) for name, way in DENSE.items()]
    for name, way, rounds, steps in ways:
        seconds = best(way, options.rows, options.batch_size, rounds, steps, options.ids == "even")
        times = "".join(f"{1000 * each:11.1f} ms" for each in seconds)
        print(f"{name:22}{times} {seconds[-1] / seconds[0]:8.2f}x", flush=True)


if __name__ == "__main__":
    main()
