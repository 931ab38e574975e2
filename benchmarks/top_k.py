"""Top-k over a large catalogue: the memory it takes, and from which size on an approximate index is faster.

Run: python benchmarks/top_k.py [--rows 1000000] [--dim 64] [--batch-size 256]

Memory is the most that a process of its own held beyond the vectors, once they were indexed. For speed, candidates are
a mixture of 1,000 clusters, as embeddings are more alike than random numbers; queries come from the same mixture. On a
machine that others use too, compare the ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import emrys.blocks as mm

K = 10
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def mixture(rows: int, dim: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates and queries, float32."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(1000, dim)).astype(np.float32)

    def points(count: int) -> np.ndarray:
        noise = 0.5 * draw.standard_normal((count, dim), np.float32)
        return centres[draw.integers(0, len(centres), count)] + noise

    return points(rows), points(queries)


def peak_memory(rows: int, dim: int, batch_size: int) -> float:
    """MiB that finding the best of so many candidates takes at most, beyond the indexed vectors."""
    draw = np.random.default_rng(0)
    search = tf.function(mm.BruteForce(K).index(draw.standard_normal((1000, dim), np.float32)))
    search(tf.zeros((batch_size, dim)))  # what TensorFlow itself takes
    layer = mm.BruteForce(K).index(draw.standard_normal((rows, dim), np.float32))
    search = tf.function(layer)
    queries = tf.constant(draw.standard_normal((batch_size, dim), np.float32))
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from what is held now
    before = most_resident()
    for _ in range(3):
        search(queries)
    return (most_resident() - before) / 1024


def most_resident() -> int:
    """The most memory that this process has held, in KiB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def milliseconds(search: Callable[[], object], rounds: int) -> float:
    """The best time of some calls; a first one is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        search()
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


def compare(rows: int, dim: int, batch_size: int, rounds: int) -> None:
    """Prints the time of a batch and of a single query, exact and approximate."""
    candidates, queries = mixture(rows, dim, batch_size + 512)
    exact = mm.BruteForce(K).index(candidates)
    start = time.perf_counter()
    likely = mm.ApproximateTopK(K, exact_up_to=0).index(candidates, queries=queries[batch_size:])
    built = time.perf_counter() - start
    line = f"{rows:>10,}"
    for size in (batch_size, 1):
        batch = tf.constant(queries[:size])
        for layer in (exact, likely):
            search = tf.function(layer)
            line += f" {milliseconds(lambda: search(batch), rounds):10.2f}"  # noqa: B023
    assert likely.report is not None
    print(f"{line} {built:8.1f} {likely.report.recall:8.3f} {likely.report.probes:5d} of {likely.report.lists}")


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="largest number of candidates")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-memory", nargs=3, type=int, metavar=("ROWS", "DIM", "BATCH"), help="only print it")
    options = parser.parse_args()
    if options.peak_memory:
        print(peak_memory(*options.peak_memory))
        return
    sizes = [str(options.rows), str(options.dim), str(options.batch_size)]
    done = subprocess.run(
        [sys.executable, __file__, "--peak-memory", *sizes], check=True, capture_output=True, text=True
    )
    vectors = options.rows * options.dim * 4 / 2**20
    print(f"{options.rows:,} candidates of {options.dim} numbers, {vectors:.0f} MiB, {options.batch_size} queries:")
    print(f"{float(done.stdout.split()[-1]):.0f} MiB beyond the vectors\n")
    print(f"milliseconds, {len(os.sched_getaffinity(0))} cores; recall is that of the sample it was tuned with")
    print(f"{'':>10} {f'batch of {options.batch_size}':>21} {'one query':>21}")
    print(f"{'candidates':>10}" + f" {'exact':>10} {'index':>10}" * 2 + f" {'build s':>8} {'recall':>8} lists")
    for rows in SIZES:
        if rows <= options.rows:
            compare(rows, options.dim, options.batch_size, options.rounds)


if __name__ == "__main__":
    main()
