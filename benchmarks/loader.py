"""Rows a second from Parquet into tensors, beside two other ways to do it, and the memory at ten times the data.

Run: python benchmarks/loader.py [--rows 1000000] [--batch-size 1024] [--released PYTHON]

13 float and 26 integer columns and a target, snappy-compressed, in row groups of 100,000 rows. An epoch of the loader
reads the file four times: what starts one (some 50 ms, most of it TensorFlow's) is not what is measured. All is
measured in one run, each way several times in turn, and the best is printed: on a machine that others use too, compare
the ratios.
Beside it stands what the way costs, in seconds of processor time per million rows. `--released` is the Python of an
environment with Merlin Models, whose loader is then measured too, shuffled, in turn with the others.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from emrys.blocks.loader import Loader

FLOATS = [f"I{number}" for number in range(1, 14)]
INTEGERS = [f"C{number}" for number in range(1, 27)]
BUFFER_ROWS = 100_000
#: Rows that the slowest way is measured on; it is the same for every row.
PANDAS_ROWS = 20_000
RELEASED = "released Merlin Models, shuffled"


def write(path: Path, rows: int) -> None:
    """Writes a synthetic click log, a row group at a time."""
    rng = np.random.default_rng(0)
    writer: pq.ParquetWriter | None = None
    for start in range(0, rows, 100_000):
        count = min(100_000, rows - start)
        columns: dict[str, np.ndarray[Any, Any]] = {name: rng.normal(size=count).astype(np.float32) for name in FLOATS}
        for number, name in enumerate(INTEGERS):
            columns[name] = rng.integers(0, 10 ** (1 + number % 6), count)
        columns["label"] = rng.integers(0, 2, count).astype(np.int8)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def in_graph(dataset: tf.data.Dataset) -> Callable[[], int]:
    """Counts the rows of a data set without leaving the graph, as a compiled `fit` reads it."""

    @tf.function
    def count() -> tf.Tensor:
        return dataset.reduce(np.int64(0), lambda rows, batch: rows + tf.shape(batch[1]["label"], tf.int64)[0])

    return lambda: int(count())


def by_steps(dataset: tf.data.Dataset) -> Callable[[], int]:
    """Counts the rows of a data set in a compiled step for each batch, as the steps of `Model.fit` take them."""

    @tf.function
    def step(batches: Any) -> tf.Tensor:
        return tf.shape(next(batches)[1]["label"], tf.int64)[0]

    def count() -> int:
        batches = iter(dataset)
        return sum(int(step(batches)) for _ in range(len(dataset)))

    return count


def eagerly(batches: Loader) -> Callable[[], int]:
    """Counts the rows of a loader that is iterated over directly."""
    return lambda: sum(int(targets["label"].shape[0]) for _, targets in batches)


def by_pandas(path: Path, batch_size: int) -> Callable[[], int]:
    """The whole file through pandas, then shuffled and batched row by row by tf.data."""

    def count() -> int:
        frame = pd.read_parquet(path)[:PANDAS_ROWS]
        features = {name: frame[[name]].to_numpy() for name in FLOATS + INTEGERS}
        rows = tf.data.Dataset.from_tensor_slices((features, {"label": frame[["label"]].to_numpy(np.float32)}))
        return in_graph(rows.shuffle(BUFFER_ROWS).batch(batch_size))()

    return count


def by_generator(path: Path, batch_size: int) -> Callable[[], int]:
    """Arrow batches handed to tf.data one by one by a generator; not shuffled."""
    types = dict.fromkeys(FLOATS, tf.float32) | dict.fromkeys(INTEGERS, tf.int64)
    signature = (
        {name: tf.TensorSpec((None, 1), kind) for name, kind in types.items()},
        {"label": tf.TensorSpec((None, 1), tf.float32)},
    )

    def generate() -> Iterator[tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]]:
        for batch in pq.ParquetFile(path).iter_batches(batch_size):
            arrays = {name: batch.column(name).to_numpy()[:, None] for name in types}
            yield arrays, {"label": batch.column("label").to_numpy().astype(np.float32)[:, None]}

    return in_graph(tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2))


@contextlib.contextmanager
def by_released(python: str, path: Path, batch_size: int) -> Iterator[Callable[[], int]]:
    """The loader of Merlin Models, in a process of its own that waits while others are measured."""
    script = Path(__file__).with_name("released_loader.py")
    command = [python, str(script), str(path), str(batch_size), str(BUFFER_ROWS), ",".join(FLOATS), ",".join(INTEGERS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = process.stdout
        while (line := answers.readline()) and line != "ready\n":
            pass

        def count() -> int:
            print(file=process.stdin, flush=True)
            return int(answers.readline())

        yield count
        process.stdin.close()


def rates(ways: dict[str, Callable[[], int]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """The best of each way, taken in turn; a first call of each is not counted.

    Returns:
        Rows a second, and seconds of processor time per million rows, by way.
    """
    best, least = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, float("inf"))
    for turn in range(rounds + 1):
        for name, count in ways.items():
            start, spent = time.perf_counter(), time.process_time()
            rows = count()
            if turn:
                best[name] = max(best[name], rows / (time.perf_counter() - start))
                least[name] = min(least[name], (time.process_time() - spent) / rows * 1e6)
    return best, least


def peak_memory(path: Path, times: int, batch_size: int) -> float:
    """MiB by which an epoch over a file, read so many times, raises the most memory that this process has held."""
    list(Loader(pa.table({"a": [1, 2]}), 1))  # what TensorFlow itself takes
    loader = Loader([path] * times, batch_size, label_names=["label"], buffer_size=BUFFER_ROWS)
    before = most_resident()
    for _ in loader:
        pass
    return (most_resident() - before) / 1024


def most_resident() -> int:
    """The most memory that this process has held, in KiB; unlike `ru_maxrss` without what its parent had held."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Writes the data, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=4, help="how often the loader reads these rows in an epoch")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--released", metavar="PYTHON", help="also measure the loader of Merlin Models, by this Python")
    parser.add_argument("--peak-memory", nargs=2, metavar=("FILE", "TIMES"), help="only print what reading takes")
    options = parser.parse_args()
    if options.peak_memory:
        path, times = options.peak_memory
        print(peak_memory(Path(path), int(times), options.batch_size))
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder, "rows.parquet")
        write(path, options.rows)
        epoch = [path] * options.times
        shuffled = Loader(epoch, options.batch_size, label_names=["label"], buffer_size=BUFFER_ROWS)
        in_order = Loader(epoch, options.batch_size, label_names=["label"], shuffle=False)
        ways = {
            "Loader, shuffled, in a graph": in_graph(shuffled.to_tf_dataset()),
            "Loader, shuffled, in the steps of a fit": by_steps(shuffled.to_tf_dataset()),
            "Loader, shuffled, eager": eagerly(shuffled),
            "Loader, in order, in a graph": in_graph(in_order.to_tf_dataset()),
            "Arrow + from_generator per batch, in order": by_generator(path, options.batch_size),
            "pandas + from_tensor_slices, shuffled": by_pandas(path, options.batch_size),
        }
        if options.released:
            ways[RELEASED] = stack.enter_context(by_released(options.released, path, options.batch_size))
        measured, spent = rates(ways, options.rounds)
        slowest = min(measured.values())
        cores = len(os.sched_getaffinity(0))
        print(
            f"{options.rows:,} rows, {options.times} times an epoch, batches of {options.batch_size:,}, {cores} cores"
        )
        for name, rate in measured.items():
            cost = "" if name == RELEASED else f"{spent[name]:9.2f} s/million"  # that is another process
            print(f"{name:45} {rate:12,.0f} rows/s {rate / slowest:7.1f}x {cost}")
        for times in (1, 10):
            command = [sys.executable, __file__, "--peak-memory", str(path), str(times)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows = f"{options.rows * times:>11,} rows, buffer of {BUFFER_ROWS:,}"
            print(f"peak memory, {rows}: {float(done.stdout):.0f} MiB")


if __name__ == "__main__":
    main()
